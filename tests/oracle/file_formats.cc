// Copies files through our readers and writers, for file_formats.py to compare with the packages
// safetensors, gguf and numpy.
//   file_formats safetensors|npy|gguf IN OUT
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "anybit/tensor/io/gguf.h"
#include "anybit/tensor/io/gguf_writer.h"
#include "anybit/tensor/io/npy.h"
#include "anybit/tensor/io/safetensors.h"
#include "anybit/tensor/io/safetensors_writer.h"

namespace {

using namespace anybit;  // NOLINT(google-build-using-namespace): names of one program.

Status copy_safetensors(const std::filesystem::path& in, const std::filesystem::path& out) {
  ANYBIT_ASSIGN(const auto file, tensor::Safetensors::open(in));
  return tensor::write_safetensors(out, file.tensors(), file.metadata());
}

Status copy_npy(const std::filesystem::path& in, const std::filesystem::path& out) {
  ANYBIT_ASSIGN(const tensor::Tensor array, tensor::read_npy(in));
  return tensor::write_npy(out, array);
}

Status copy_gguf(const std::filesystem::path& in, const std::filesystem::path& out) {
  ANYBIT_ASSIGN(const tensor::GgufFile file, tensor::open_gguf(in));
  std::vector<tensor::GgufTensorDescription> descriptions;
  for (const auto& tensor : file.tensors) {
    descriptions.push_back({tensor.name, tensor.shape, tensor.type});
  }
  ANYBIT_ASSIGN(auto writer, tensor::GgufWriter::create(out, file.metadata, descriptions));
  for (const auto& tensor : file.tensors) {
    ANYBIT_TRY(writer.write(tensor.name, tensor.blocks.bytes()));
  }
  return writer.commit();
}

Status copy(const std::string& format, const char* in, const char* out) {
  if (format == "safetensors") return copy_safetensors(in, out);
  if (format == "npy") return copy_npy(in, out);
  if (format == "gguf") return copy_gguf(in, out);
  return fail(ErrorCode::kInvalidArgument, "expected safetensors, npy or gguf, found {}", format);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: file_formats safetensors|npy|gguf IN OUT\n");
    return 2;
  }
  const Status status = copy(argv[1], argv[2], argv[3]);
  if (status) return 0;
  std::fprintf(stderr, "%s\n", status.error().message.c_str());
  return 1;
}
