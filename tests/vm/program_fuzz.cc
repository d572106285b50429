#include "tests/vm/program_fuzz.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <set>

#include "anybit/numeric/packing.h"
#include "anybit/vm/backend/run.h"
#include "anybit/vm/ir/verify.h"
#include "anybit/vm/pass/pipeline.h"
#include "anybit/vm/text/parse.h"
#include "anybit/vm/text/print.h"

namespace anybit::vm::testing {
namespace {

/// Passes that turn a program into what backends take.
bool is_needed(const PassInfo& pass) {
  constexpr std::array<std::string_view, 6> kNeeded = {"layouts",     "conversions", "swizzles",
                                                       "shared-plan", "accesses",    "selection"};
  return std::ranges::find(kNeeded, pass.name) != kNeeded.end();
}

class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds) {}
  ~Stopwatch() {
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  double& seconds_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Result<LoweredProgram> lower_if(const Program& program, bool wants_code,
                                const std::function<bool(const PassInfo&)>& wanted) {
  LoweredProgram lowered;
  lowered.program = program;
  for (const PassInfo& pass : passes()) {
    if (!wanted(pass) || (pass.plans_code && !wants_code)) continue;
    if (const Status status = pass.run(lowered); !status) {
      return with_context(status.error(), fmt::format("pass {}", pass.name));
    }
    if (const Status status = verify(lowered.program, pass.stage); !status) {
      return with_context(status.error(), fmt::format("after pass {}", pass.name));
    }
  }
  return lowered;
}

bool is_in(OptionalPasses passes, const PassInfo& pass) {
  return passes == OptionalPasses::kAll || is_needed(pass);
}

/// Memory at multiples of 16 bytes, and the arguments that point there.
class Launch {
 public:
  explicit Launch(const FuzzProgram& fuzz) {
    for (const FuzzArgument& argument : fuzz.arguments) {
      if (!argument.is_buffer) {
        arguments.emplace_back(argument.scalar);
        continue;
      }
      auto& words = memory_.emplace_back(argument.contents.size() / 16 + 1);
      sizes_.push_back(argument.contents.size());
      auto* const bytes = reinterpret_cast<std::byte*>(words.data());
      std::copy(argument.contents.begin(), argument.contents.end(), bytes);
      arguments.emplace_back(std::span<std::byte>(bytes, argument.contents.size()));
    }
  }

  FuzzBuffers buffers() const {
    FuzzBuffers result;
    for (size_t i = 0; i < memory_.size(); ++i) {
      const auto* bytes = reinterpret_cast<const std::byte*>(memory_[i].data());
      result.emplace_back(bytes, bytes + sizes_[i]);
    }
    return result;
  }

  std::vector<LaunchArgument> arguments;

 private:
  struct alignas(16) Word {
    std::byte bytes[16];
  };
  std::vector<std::vector<Word>> memory_;
  std::vector<size_t> sizes_;
};

/// The emitted kernel with all that it needs in a namespace of its own, so that many stand in one
/// text.
std::string enclosed(const cuda::EmittedKernel& kernel) {
  return fmt::format("namespace {0}_parts {{\n{1}\n}}\nusing {0}_parts::{0};\n", kernel.name,
                     kernel.source);
}

struct Variant {
  Program lowered;
  cuda::EmittedKernel kernel;
};

/// The program's kernels: with all optional passes, and with none, under a name of its own.
Result<std::vector<Variant>> emit_variants(const Program& program) {
  std::vector<Variant> variants;
  for (const OptionalPasses passes : {OptionalPasses::kAll, OptionalPasses::kNone}) {
    Variant variant;
    ANYBIT_ASSIGN(LoweredProgram lowered, lower_if(program, true, [&](const PassInfo& pass) {
                    return is_in(passes, pass);
                  }));
    if (passes == OptionalPasses::kNone) lowered.program.name += "_plain";
    ANYBIT_ASSIGN(variant.kernel, cuda::emit_cuda(lowered));
    variant.lowered = std::move(lowered.program);
    variants.push_back(std::move(variant));
  }
  return variants;
}

std::string run_variant(const FuzzProgram& fuzz, const FuzzBuffers& expected,
                        const Variant& variant, const std::string& text) {
  const auto kernel = compile_emulated(text, {.kernel_name = variant.kernel.name});
  if (!kernel) return "host compiler: " + kernel.error().message;
  Launch launch(fuzz);
  const Status status = launch_emulated(*kernel, variant.kernel, variant.lowered, launch.arguments);
  if (!status) return variant.kernel.name + " emulated: " + status.error().message;
  const std::string difference = compare_buffers(fuzz, expected, launch.buffers());
  return difference.empty() ? "" : variant.kernel.name + " emulated: " + difference;
}

/// What is wrong before any code is generated; sets `expected`.
std::string check_on_reference(const FuzzProgram& fuzz, FuzzBuffers& expected) {
  const std::string text = print(fuzz.program);
  const Result<Program> parsed = parse_program(text);
  if (!parsed) return "the printed text: " + parsed.error().message;
  if (print(*parsed) != text) return "print, parse, print gives another text";
  const Result<Program> lowered = lower_with(fuzz.program, OptionalPasses::kAll);
  if (!lowered) return lowered.error().message;
  const Result<FuzzBuffers> result = run_on_reference(fuzz, *lowered);
  if (!result) return "reference: " + result.error().message;
  expected = *result;
  for (const std::string_view skipped : optional_passes()) {
    const Result<Program> other = lower_without(fuzz.program, skipped);
    if (!other) return fmt::format("without {}: {}", skipped, other.error().message);
    const Result<FuzzBuffers> found = run_on_reference(fuzz, *other);
    if (!found) return fmt::format("reference without {}: {}", skipped, found.error().message);
    const std::string difference = compare_buffers(fuzz, expected, *found);
    if (!difference.empty()) return fmt::format("without {}: {}", skipped, difference);
  }
  return "";
}

/// Every way, one program alone. Refusals of code generation are not findings.
std::string check_everywhere(const FuzzProgram& fuzz, bool emulates) {
  FuzzBuffers expected;
  std::string problem = check_on_reference(fuzz, expected);
  if (!problem.empty() || !emulates) return problem;
  const auto variants = emit_variants(fuzz.program);
  if (!variants) {
    const bool is_refusal = variants.error().code == ErrorCode::kUnsupported;
    return is_refusal ? "" : "emit: " + variants.error().message;
  }
  for (const Variant& variant : *variants) {
    problem = run_variant(fuzz, expected, variant, enclosed(variant.kernel));
    if (!problem.empty()) break;
  }
  return problem;
}

/// What findings must share to be the same fault: the part before any number.
std::string kind_of(const std::string& message) {
  return message.substr(0, message.find_first_of("0123456789"));
}

FuzzFinding make_finding(FuzzProgram fuzz, uint64_t seed, const std::string& message,
                         const FuzzOptions& options) {
  FuzzFinding finding{seed, message, std::move(fuzz)};
  if (!options.shrinks) return finding;
  const auto fails = [&](const FuzzProgram& smaller) {
    const std::string problem = check_everywhere(smaller, options.emulates);
    return kind_of(problem) == kind_of(message) ? problem : "";
  };
  finding.fuzz = shrink(std::move(finding.fuzz), fails);
  const std::string problem = fails(finding.fuzz);
  if (!problem.empty()) finding.message = problem;
  return finding;
}

/// A copy without statement `index`, in the order of for_each_statement; nullopt behind the last.
/// `keeps_body`: what stands inside it takes its place.
bool remove_statement(Block& block, int64_t& index, bool keeps_body) {
  for (size_t i = 0; i < block.size(); ++i) {
    if (index-- == 0) {
      Block body = std::move(block[i].body);
      block.erase(block.begin() + static_cast<int64_t>(i));
      if (keeps_body)
        block.insert(block.begin() + static_cast<int64_t>(i), body.begin(), body.end());
      return true;
    }
    if (remove_statement(block[i].body, index, keeps_body)) return true;
    if (remove_statement(block[i].else_body, index, keeps_body)) return true;
  }
  return false;
}

int64_t count_statements(const Program& program) {
  int64_t count = 0;
  for_each_statement(program.body, [&](const Statement&) { ++count; });
  return count;
}

}  // namespace

FuzzBuffers initial_buffers(const FuzzProgram& fuzz) { return Launch(fuzz).buffers(); }

std::vector<std::string_view> optional_passes() {
  std::vector<std::string_view> names;
  for (const PassInfo& pass : passes()) {
    if (!is_needed(pass)) names.push_back(pass.name);
  }
  return names;
}

Result<Program> lower_without(const Program& program, std::string_view skipped) {
  ANYBIT_ASSIGN(LoweredProgram lowered, lower_if(program, false, [&](const PassInfo& pass) {
                  return pass.name != skipped;
                }));
  return std::move(lowered.program);
}

Result<Program> lower_with(const Program& program, OptionalPasses passes) {
  ANYBIT_ASSIGN(LoweredProgram lowered, lower_if(program, false, [&](const PassInfo& pass) {
                  return is_in(passes, pass);
                }));
  return std::move(lowered.program);
}

Result<FuzzBuffers> run_on_reference(const FuzzProgram& fuzz, const Program& lowered) {
  Launch launch(fuzz);
  ReferenceOptions options;
  options.max_statements = 1'000'000;
  ANYBIT_TRY(run_reference(lowered, launch.arguments, options));
  return launch.buffers();
}

std::string compare_buffers(const FuzzProgram& fuzz, const FuzzBuffers& expected,
                            const FuzzBuffers& found) {
  size_t next = 0;
  for (const FuzzArgument& argument : fuzz.arguments) {
    if (!argument.is_buffer) continue;
    const auto &a = expected[next], &b = found[next];
    ++next;
    if (a == b) continue;
    const auto size = static_cast<int64_t>(a.size()) * 8 / argument.element.bits;
    for (int64_t i = 0; i < size; ++i) {
      const uint32_t wanted = numeric::unpack_code(a, argument.element.bits, i);
      const uint32_t code = numeric::unpack_code(b, argument.element.bits, i);
      if (wanted == code) continue;
      const bool has_values = argument.element.kind != numeric::ElementKind::kCodebook &&
                              argument.element.kind != numeric::ElementKind::kComplex;
      if (has_values && std::isnan(decode_element(argument.element, wanted)) &&
          std::isnan(decode_element(argument.element, code))) {
        continue;
      }
      return fmt::format("{}[{}]: code {:#x}, expected {:#x}", argument.name, i, code, wanted);
    }
  }
  return "";
}

namespace {

/// Without the parameters that nothing names any more.
FuzzProgram without_unused_parameters(FuzzProgram fuzz) {
  std::set<VariableId> used;
  const auto note = [&](const Expr& expr) {
    for_each_variable(expr, [&](VariableId id) { used.insert(id); });
  };
  for (const Expr& extent : fuzz.program.grid) note(extent);
  for_each_statement(fuzz.program.body, [&](const Statement& statement) {
    for (const Expr& expr : statement.expressions) note(expr);
    for (const Attribute& attribute : statement.instruction.attributes) {
      if (const auto* expr = std::get_if<Expr>(&attribute)) note(*expr);
      if (const auto* exprs = std::get_if<std::vector<Expr>>(&attribute)) {
        for (const Expr& expr : *exprs) note(expr);
      }
    }
  });
  for (size_t i = fuzz.arguments.size(); i-- > 0;) {
    if (used.contains(fuzz.program.parameters[i])) continue;
    fuzz.arguments.erase(fuzz.arguments.begin() + static_cast<int64_t>(i));
    fuzz.program.parameters.erase(fuzz.program.parameters.begin() + static_cast<int64_t>(i));
  }
  return fuzz;
}

}  // namespace

FuzzProgram shrink(FuzzProgram fuzz, const std::function<std::string(const FuzzProgram&)>& fails) {
  constexpr int kMaxTries = 400;
  int tries = 0;
  for (bool changed = true; changed && tries < kMaxTries;) {
    changed = false;
    for (int64_t i = count_statements(fuzz.program); i-- > 0 && tries < kMaxTries;) {
      for (const bool keeps_body : {false, true}) {
        FuzzProgram smaller = fuzz;
        int64_t index = i;
        if (!remove_statement(smaller.program.body, index, keeps_body)) continue;
        if (!verify(smaller.program, VerifyStage::kBeforeLayouts)) continue;
        ++tries;
        if (fails(smaller).empty()) continue;
        fuzz = std::move(smaller);
        changed = true;
        break;
      }
    }
  }
  FuzzProgram smaller = without_unused_parameters(fuzz);
  return fails(smaller).empty() ? fuzz : smaller;
}

std::string describe(const FuzzFinding& finding) {
  std::string text = fmt::format("// seed {}: {}\n", finding.seed, finding.message);
  for (const FuzzArgument& argument : finding.fuzz.arguments) {
    if (argument.is_buffer) {
      text +=
          fmt::format("// arg {}: {}[{}]\n", argument.name, tile_element_name(argument.element),
                      static_cast<int64_t>(argument.contents.size()) * 8 / argument.element.bits);
    } else if (argument.scalar.type == ScalarType::kF32) {
      text += fmt::format("// arg {}: f32 = {}\n", argument.name, argument.scalar.real);
    } else {
      text += fmt::format("// arg {}: i32 = {}\n", argument.name, argument.scalar.integer);
    }
  }
  return text + print(finding.fuzz.program);
}

std::vector<FuzzFinding> fuzz_seeds(std::span<const uint64_t> seeds, const FuzzOptions& options,
                                    FuzzCounts& counts) {
  struct Entry {
    FuzzProgram fuzz;
    FuzzBuffers expected;
    uint64_t seed;
    std::vector<Variant> variants;
  };
  std::vector<FuzzFinding> findings;
  std::vector<Entry> entries;
  std::string text;
  for (const uint64_t seed : seeds) {
    ++counts.programs;
    Result<FuzzProgram> fuzz = [&] {
      const Stopwatch watch(counts.generate_seconds);
      return generate_program(seed, options.generator);
    }();
    if (!fuzz) {
      findings.push_back({seed, "generator: " + fuzz.error().message, {}});
      continue;
    }
    counts.statements += static_cast<int>(count_statements(fuzz->program));
    FuzzBuffers expected;
    const std::string problem = [&] {
      const Stopwatch watch(counts.reference_seconds);
      return check_on_reference(*fuzz, expected);
    }();
    if (!problem.empty()) {
      findings.push_back(make_finding(std::move(*fuzz), seed, problem, options));
      continue;
    }
    if (!options.emulates) continue;
    Result<std::vector<Variant>> variants = emit_variants(fuzz->program);
    if (!variants && variants.error().code == ErrorCode::kUnsupported) {
      ++counts.refused;
      counts.refusals.push_back(fmt::format("seed {}: {}", seed, variants.error().message));
      continue;
    }
    if (!variants) {
      findings.push_back(
          make_finding(std::move(*fuzz), seed, "emit: " + variants.error().message, options));
      continue;
    }
    // Compiling takes most of the time: every second program without its variant.
    if (seed % 2 == 0) variants->pop_back();
    for (const Variant& variant : *variants) text += enclosed(variant.kernel);
    entries.push_back({std::move(*fuzz), std::move(expected), seed, std::move(*variants)});
  }
  if (entries.empty()) return findings;
  bool compiled = false;
  {
    const Stopwatch watch(counts.compile_seconds);
    compiled =
        compile_emulated(text, {.kernel_name = entries[0].variants[0].kernel.name}).has_value();
  }
  const Stopwatch watch(counts.emulate_seconds);
  for (Entry& entry : entries) {
    std::string problem;
    for (size_t v = 0; v < entry.variants.size() && problem.empty(); ++v) {
      // A text that the compiler refuses as a whole is compiled in parts, to find the culprit.
      problem = run_variant(entry.fuzz, entry.expected, entry.variants[v],
                            compiled ? text : enclosed(entry.variants[v].kernel));
    }
    if (problem.empty()) continue;
    findings.push_back(make_finding(std::move(entry.fuzz), entry.seed, problem, options));
  }
  return findings;
}

}  // namespace anybit::vm::testing
