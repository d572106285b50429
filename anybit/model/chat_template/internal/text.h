// Python's str on UTF-8: positions count code points, case and white space follow Unicode. A byte
// that is not part of valid UTF-8 counts as one character and is kept as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace anybit::model::jinja {

/// The character at byte `position`: its code point (or the byte, if invalid) and length in bytes.
struct Character {
  int32_t code;
  int length;
  bool is_valid;
};
Character character_at(std::string_view text, size_t position);

int64_t num_characters(std::string_view text);
/// Byte position of every character, then the length: num_characters() + 1 entries.
std::vector<size_t> character_offsets(std::string_view text);
void append_utf8(int32_t code, std::string& out);

/// Python's str.isspace() and \s for one code point.
bool is_space(int32_t code);
/// str.isprintable(): what repr() writes without an escape.
bool is_printable(int32_t code);

/// Without white space, or without the characters of `unwanted`, at the chosen ends.
std::string_view strip(std::string_view text, bool at_start = true, bool at_end = true);
std::string_view strip(std::string_view text, std::string_view unwanted, bool at_start,
                       bool at_end);

/// Simple case mappings of Unicode; the one full mapping kept is ss for sharp s in upper().
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalize(std::string_view text);
/// str.title(): capitals after whatever is not a letter.
std::string title(std::string_view text);
/// The filter title: capitals after white space and - ( { [ < only.
std::string title_words(std::string_view text);
std::string swapcase(std::string_view text);

/// Whether there are characters and all belong to the class.
bool is_upper(std::string_view text);
bool is_lower(std::string_view text);
bool is_alpha(std::string_view text);
bool is_digit(std::string_view text);
bool is_alnum(std::string_view text);
bool is_space_only(std::string_view text);

/// str.splitlines(): without line ends; no empty last line.
std::vector<std::string_view> split_lines(std::string_view text);
/// All (at most `max_count` unless negative) occurrences of `from` become `to`. An empty `from`
/// stands before every character and at the end.
std::string replace(std::string_view text, std::string_view from, std::string_view to,
                    int64_t max_count = -1);
/// Occurrences that do not overlap; of the empty string, one more than characters.
int64_t count_occurrences(std::string_view text, std::string_view wanted);
/// & < > ' " as HTML entities.
std::string escape_html(std::string_view text);

}  // namespace anybit::model::jinja
