// TextStream: turns bytes that arrive a token at a time into text that can be shown at once, never
// half a character.
#pragma once

#include <string>
#include <string_view>

namespace anybit::engine {

/// Gives out UTF-8 as it becomes complete. Bytes that cannot be part of UTF-8 come out as U+FFFD,
/// one for each maximal part of a character (Unicode 15, section 3.9, table 3-8), as in Python's
/// errors="replace".
class TextStream {
 public:
  /// Takes more bytes. Returns the characters that are complete now.
  /// Post: the result is valid UTF-8, whatever the bytes.
  std::string push(std::string_view bytes);

  /// Ends the text: U+FFFD for an unfinished character, else nothing. The stream is as at first.
  std::string finish();

 private:
  std::string pending_;  // The start of one character, at most 3 bytes.
};

}  // namespace anybit::engine
