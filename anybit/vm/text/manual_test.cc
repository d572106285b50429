#include "anybit/vm/text/manual.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "anybit/vm/ir/instruction_info.h"

namespace anybit::vm {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(ANYBIT_SOURCE_DIR + ("/" + path));
  std::stringstream stream;
  stream << file.rdbuf();
  return stream.str();
}

TEST(Manual, ShowsProgramsThatAreTested) {
  for (const char* path : {"tests/vm/accept/float5.vm", "tests/vm/run/pipelined_product.vm"}) {
    std::string program = read(path);
    if (const size_t kernel = program.find("kernel ");
        std::string(path).find("/run/") != std::string::npos) {
      program = program.substr(kernel);  // What it is launched with stands before.
    }
    ASSERT_FALSE(program.empty());
    EXPECT_NE(read("docs/vm.md").find("```\n" + program + "```\n"), std::string::npos) << path;
  }
}

TEST(Manual, StandsInTheLanguageReference) {
  const std::string page = read("docs/vm.md");
  const std::string begin = std::string(kManualBegin) + "\n\n";
  const std::string end = "\n" + std::string(kManualEnd);
  const size_t first = page.find(begin), last = page.find(end);
  ASSERT_NE(first, std::string::npos);
  ASSERT_NE(last, std::string::npos);
  const size_t start = first + begin.size();
  EXPECT_TRUE(page.substr(start, last - start) == reference_manual())
      << "docs/vm.md is older than the tables; put the output of `anybit vm manual` between the "
         "two comments";
}

TEST(Manual, NamesEveryInstruction) {
  const std::string manual = reference_manual();
  for (const Opcode opcode : all_opcodes()) {
    const InstructionInfo& info = instruction_info(opcode);
    EXPECT_NE(manual.find("### " + std::string(info.name) + "\n\n" + std::string(info.summary)),
              std::string::npos)
        << info.name;
    EXPECT_FALSE(info.summary.empty() || info.details.empty() || info.example.empty()) << info.name;
  }
}

}  // namespace
}  // namespace anybit::vm
