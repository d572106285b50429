// Runs the ggml codecs on files, for comparison with other implementations (ggml_codecs.py).
//
//   ggml_codec_dump dequantize TYPE BLOCKS VALUES
//   ggml_codec_dump groups TYPE BLOCKS VALUES          (through unpack_groups)
//   ggml_codec_dump quantize TYPE VALUES BLOCKS ROW_SIZE [IMPORTANCE]
//
// Values are raw f32, blocks raw bytes. `quantize` prints the processor seconds it took.
#include <fmt/core.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "anybit/numeric/ggml/affine_groups.h"
#include "anybit/numeric/ggml/block_codec.h"

namespace {

using anybit::numeric::GgmlTypeTraits;

template <class T>
std::vector<T> read_all(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto* first = reinterpret_cast<const T*>(bytes.data());
  return {first, first + bytes.size() / sizeof(T)};
}

template <class T>
void write_all(const char* path, std::span<const T> values) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(values.data()),
             static_cast<std::streamsize>(values.size_bytes()));
}

/// value = scale * lut[code] + min, as affine_groups.h has it.
std::vector<float> values_of(const anybit::numeric::LutGroups& groups) {
  std::vector<float> values(groups.codes.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const auto group = static_cast<int64_t>(i) / groups.format.group_size;
    values[i] = groups.scale(group) * groups.format.lut[groups.codes[i]] + groups.min(group);
  }
  return values;
}

int report(const anybit::Status& status) {
  if (status) return 0;
  fmt::print(stderr, "{}\n", status.error().message);
  return 1;
}

int dequantize(const GgmlTypeTraits& traits, char** paths) {
  const auto blocks = read_all<std::byte>(paths[0]);
  std::vector<float> values(blocks.size() / traits.block_bytes * traits.block_elements);
  const anybit::Status status = anybit::numeric::dequantize_ggml(traits.type, blocks, values);
  write_all<float>(paths[1], values);
  return report(status);
}

int unpack(const GgmlTypeTraits& traits, char** paths) {
  const auto groups = anybit::numeric::to_lut_groups(traits.type, read_all<std::byte>(paths[0]));
  if (!groups) return report(tl::make_unexpected(groups.error()));
  write_all<float>(paths[1], values_of(*groups));
  return 0;
}

int quantize(const GgmlTypeTraits& traits, int count, char** arguments) {
  const auto values = read_all<float>(arguments[0]);
  std::vector<float> importance;
  if (count > 3) importance = read_all<float>(arguments[3]);
  std::vector<std::byte> blocks(values.size() / traits.block_elements * traits.block_bytes);
  const std::clock_t start = std::clock();
  const anybit::Status status = anybit::numeric::quantize_ggml(
      traits.type, values, std::atoll(arguments[2]), importance, blocks);
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  fmt::print("{}\n", seconds);
  write_all<std::byte>(arguments[1], blocks);
  return report(status);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 2 ? argv[1] : "";
  const GgmlTypeTraits* traits = argc > 2 ? anybit::numeric::find_ggml_type(argv[2]) : nullptr;
  if (traits != nullptr && mode == "dequantize" && argc == 5) return dequantize(*traits, argv + 3);
  if (traits != nullptr && mode == "groups" && argc == 5) return unpack(*traits, argv + 3);
  if (traits != nullptr && mode == "quantize" && (argc == 6 || argc == 7)) {
    return quantize(*traits, argc - 3, argv + 3);
  }
  fmt::print(stderr, "usage: see the head of ggml_codec_dump.cc\n");
  return 2;
}
