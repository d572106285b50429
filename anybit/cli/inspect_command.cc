#include "anybit/cli/inspect_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <map>

#include "anybit/base/json.h"
#include "anybit/cli/command.h"
#include "anybit/cli/inspection.h"
#include "anybit/cli/text_table.h"

namespace anybit::cli {
namespace {

constexpr std::string_view kExamples =
    "  anybit inspect models/wiki-6m\n"
    "  anybit inspect model.gguf --tensors\n"
    "  anybit inspect weights.safetensors --json";

/// The config's members that people compare.
OrderedJson config_json(const model::ModelConfig& config) {
  OrderedJson object = {{"family", config.family},
                        {"hidden_size", config.hidden_size},
                        {"intermediate_size", config.intermediate_size},
                        {"num_layers", config.num_layers},
                        {"num_q_heads", config.num_q_heads},
                        {"num_kv_heads", config.num_kv_heads},
                        {"head_dim", config.head_dim},
                        {"vocab_size", config.vocab_size},
                        {"max_positions", config.max_positions}};
  if (config.is_moe()) {
    object["num_experts"] = config.num_experts;
    object["num_experts_per_token"] = config.num_experts_per_token;
  }
  object["has_tied_embeddings"] = config.has_tied_embeddings;
  object["num_parameters"] = config.num_parameters();
  return object;
}

double bits_per_element(int64_t size_bytes, int64_t num_elements) {
  if (num_elements == 0) return 0;
  return 8.0 * static_cast<double>(size_bytes) / static_cast<double>(num_elements);
}

/// All tensors stored one way.
struct StorageClass {
  int64_t num_tensors = 0, num_elements = 0, size_bytes = 0;
};

std::map<std::string, StorageClass> storage_classes(const Inspection& inspection) {
  std::map<std::string, StorageClass> classes;
  for (const InspectedTensor& tensor : inspection.tensors) {
    StorageClass& found = classes[tensor.stored_as];
    ++found.num_tensors;
    found.num_elements += tensor.num_elements();
    found.size_bytes += tensor.size_bytes;
  }
  return classes;
}

OrderedJson to_json(const Inspection& inspection, bool with_tensors) {
  OrderedJson object = {
      {"path", inspection.path},
      {"format", inspection.format},
      {"num_tensors", inspection.tensors.size()},
      {"num_elements", inspection.num_elements()},
      {"size_bytes", inspection.size_bytes()},
      {"bits_per_weight", bits_per_element(inspection.size_bytes(), inspection.num_elements())}};
  if (inspection.config) object["config"] = config_json(*inspection.config);
  if (!inspection.config_problem.empty()) object["config_problem"] = inspection.config_problem;
  if (inspection.quantization_scheme) object["quantization"] = *inspection.quantization_scheme;
  for (const auto& [key, value] : inspection.metadata) object["metadata"][key] = value;
  for (const auto& [name, found] : storage_classes(inspection)) {
    object["storage"][name] = {{"num_tensors", found.num_tensors},
                               {"num_elements", found.num_elements},
                               {"size_bytes", found.size_bytes}};
  }
  if (!with_tensors) return object;
  object["tensors"] = OrderedJson::array();
  for (const InspectedTensor& tensor : inspection.tensors) {
    object["tensors"].push_back({{"name", tensor.name},
                                 {"stored_as", tensor.stored_as},
                                 {"shape", tensor.shape},
                                 {"size_bytes", tensor.size_bytes},
                                 {"bits_per_weight", tensor.bits_per_element()}});
  }
  return object;
}

void print_members(const OrderedJson& object) {
  for (const auto& [key, value] : object.items()) {
    fmt::print("  {:<24} {}\n", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

void print_text(const Inspection& inspection, bool with_tensors) {
  fmt::print("{}: {}, {} tensors, {} elements, {}, {:.3f} bits per weight\n", inspection.path,
             inspection.format, inspection.tensors.size(), inspection.num_elements(),
             format_bytes(inspection.size_bytes()),
             bits_per_element(inspection.size_bytes(), inspection.num_elements()));
  if (inspection.quantization_scheme)
    fmt::print("quantized: {}\n", *inspection.quantization_scheme);
  if (inspection.config) {
    fmt::print("\nconfig\n");
    print_members(config_json(*inspection.config));
  }
  if (!inspection.config_problem.empty())
    fmt::print("\nno config: {}\n", inspection.config_problem);
  if (!inspection.metadata.empty()) fmt::print("\nmetadata\n");
  for (const auto& [key, value] : inspection.metadata) fmt::print("  {:<40} {}\n", key, value);
  TextTable classes({{"stored as"},
                     {"tensors", Align::kRight},
                     {"elements", Align::kRight},
                     {"size", Align::kRight},
                     {"bits/weight", Align::kRight}});
  for (const auto& [name, found] : storage_classes(inspection)) {
    classes.add_row(
        {name, std::to_string(found.num_tensors), std::to_string(found.num_elements),
         format_bytes(found.size_bytes),
         fmt::format("{:.3f}", bits_per_element(found.size_bytes, found.num_elements))});
  }
  fmt::print("\n{}", classes.text(is_stdout_styled()));
  if (!with_tensors) return;
  TextTable table({{"tensor"},
                   {"stored as"},
                   {"shape"},
                   {"size", Align::kRight},
                   {"bits/weight", Align::kRight}});
  for (const InspectedTensor& tensor : inspection.tensors) {
    table.add_row({tensor.name, tensor.stored_as, format_shape(tensor.shape),
                   format_bytes(tensor.size_bytes),
                   fmt::format("{:.3f}", tensor.bits_per_element())});
  }
  fmt::print("\n{}", table.text(is_stdout_styled()));
}

Status inspect_and_print(const std::string& name, bool with_tensors, bool json) {
  ANYBIT_ASSIGN(const Inspection inspection, inspect(name));
  if (json) {
    fmt::print("{}\n", to_json(inspection, with_tensors)
                           .dump(-1, ' ', false, OrderedJson::error_handler_t::replace));
  } else {
    print_text(inspection, with_tensors);
  }
  return {};
}

}  // namespace

int inspect_command(int argc, const char* const* argv) {
  std::string name;
  bool with_tensors = false;
  CommonOptions common;
  Arguments parser("inspect",
                   "Shows what a model or tensor file holds: config, metadata, how tensors are "
                   "stored, sizes.",
                   kExamples);
  parser.positional("MODEL", &name,
                    "A Hugging Face folder, a .gguf, .safetensors or .npy file, or hf:ORG/REPO");
  parser.flag("--tensors", &with_tensors, "List every tensor");
  parser.common(&common);
  if (const auto exit_code = parser.parse(argc, argv)) return *exit_code;
  return finish("inspect", inspect_and_print(name, with_tensors, common.json));
}

}  // namespace anybit::cli
