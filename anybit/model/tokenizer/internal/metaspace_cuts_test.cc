#include "anybit/model/tokenizer/internal/metaspace_cuts.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace anybit::model::internal {
namespace {

// '_' for U+2581.
std::string spelled(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '_') {
      out += "\u2581";
    } else {
      out += c;
    }
  }
  return out;
}

std::vector<std::string> words_of(const MetaspaceCuts& cuts, const std::string& text) {
  std::vector<std::string> words;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = cuts.next(text, begin);
    words.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

TEST(MetaspaceCuts, CutsBeforeEachRunThatNoPieceJoins) {
  MetaspaceCuts cuts;
  cuts.add_piece(spelled("_ab"));
  cuts.add_piece(spelled("___"));
  const std::string text = spelled("__ab_c>_d_");
  EXPECT_EQ(words_of(cuts, text), std::vector<std::string>({text}));
  cuts.enable();
  EXPECT_EQ(words_of(cuts, text), std::vector<std::string>({spelled("__ab"), spelled("_c>"),
                                                            spelled("_d"), spelled("_")}));
  cuts.add_piece(spelled(">_</"));
  EXPECT_EQ(words_of(cuts, text),
            std::vector<std::string>({spelled("__ab"), spelled("_c>_d"), spelled("_")}));
  EXPECT_TRUE(words_of(cuts, "").empty());
}

}  // namespace
}  // namespace anybit::model::internal
