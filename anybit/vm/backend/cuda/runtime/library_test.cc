#include "anybit/vm/backend/cuda/runtime/library.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/fake_cuda/load.h"
#include "tests/support/scoped_variable.h"
#include "tests/support/temporary_folder.h"

namespace anybit::vm::cuda {
namespace {

namespace fs = std::filesystem;
using testing::ScopedVariable;
using testing::TemporaryFolder;

void expect_unsupported(const Error& error, std::initializer_list<const char*> parts) {
  EXPECT_EQ(error.code, ErrorCode::kUnsupported);
  for (const char* part : parts) {
    EXPECT_NE(error.message.find(part), std::string::npos) << part << " in " << error.message;
  }
}

TEST(LoadDriver, TakesTheArgumentOrTheVariable) {
  const ScopedVariable unset("ANYBIT_CUDA_DRIVER", nullptr);
  const DriverApi named = load_driver(ANYBIT_FAKE_CUDA).value();
  EXPECT_EQ(named.path, ANYBIT_FAKE_CUDA);
  EXPECT_NE(named.func_get_param_info, nullptr);
  const ScopedVariable variable("ANYBIT_CUDA_DRIVER", ANYBIT_FAKE_CUDA_12_0);
  const DriverApi old = load_driver().value();
  EXPECT_EQ(old.path, ANYBIT_FAKE_CUDA_12_0);
  EXPECT_EQ(old.func_get_param_info, nullptr);
}

TEST(LoadDriver, TriesNothingElseThanWhatWasNamed) {
  const ScopedVariable variable("ANYBIT_CUDA_DRIVER", "/nowhere/libcuda.so.1");
  const auto absent = load_driver();
  ASSERT_FALSE(absent);
  expect_unsupported(absent.error(),
                     {"the CUDA driver not found", "ANYBIT_CUDA_DRIVER=/nowhere/libcuda.so.1",
                      "No such file or directory"});
  EXPECT_EQ(absent.error().message.find("/usr/lib"), std::string::npos);
}

TEST(LoadDriver, SaysWhereItLookedIfThereIsNone) {
  const ScopedVariable unset("ANYBIT_CUDA_DRIVER", nullptr);
  const auto driver = load_driver();
  if (driver) GTEST_SKIP() << "there is a CUDA driver here: " << driver->path;
  expect_unsupported(driver.error(),
                     {"libcuda.so.1: ", "/usr/lib/wsl/lib/libcuda.so.1: ", "ANYBIT_CUDA_DRIVER"});
}

TEST(LoadDriver, NamesTheFunctionsThatALibraryLacks) {
  const auto wrong = load_driver("libm.so.6");
  ASSERT_FALSE(wrong);
  expect_unsupported(wrong.error(), {"version 12.0 or later", "cuInit", "cuTensorMapEncodeTiled"});
  EXPECT_EQ(wrong.error().message.find("cuFuncGetParamInfo"), std::string::npos);
  const auto wrong_compiler = load_nvrtc("libm.so.6");
  ASSERT_FALSE(wrong_compiler);
  expect_unsupported(wrong_compiler.error(), {"nvrtcGetErrorString", "nvrtcGetCUBIN"});
}

TEST(LoadNvrtc, LooksInsideToolkitsAndWheels) {
  const ScopedVariable unset("ANYBIT_NVRTC", nullptr);
  for (const char* place : {"lib64/libnvrtc.so", "libnvrtc.so.12", "nvidia/cu13/lib/libnvrtc.so.13",
                            "nvidia/cuda_nvrtc/lib/libnvrtc.so.12"}) {
    const TemporaryFolder folder;
    fs::create_directories((folder / place).parent_path());
    fs::create_symlink(ANYBIT_FAKE_CUDA, folder / place);
    EXPECT_EQ(load_nvrtc(folder.path()).value().path, (folder / place).string());
    const ScopedVariable variable("ANYBIT_NVRTC", folder.path().c_str());
    EXPECT_EQ(load_nvrtc().value().path, (folder / place).string());
  }
  const TemporaryFolder home;
  fs::create_directories(home / "lib64");
  fs::create_symlink(ANYBIT_FAKE_CUDA, home / "lib64/libnvrtc.so.13");
  const ScopedVariable no_home("CUDA_HOME", nullptr);
  const ScopedVariable path("CUDA_PATH", home.path().c_str());
  EXPECT_EQ(load_nvrtc().value().path, (home / "lib64/libnvrtc.so.13").string());
}

TEST(LoadNvrtc, SaysThatAFolderHoldsNone) {
  const TemporaryFolder folder;
  const auto absent = load_nvrtc(folder.path());
  ASSERT_FALSE(absent);
  expect_unsupported(absent.error(), {"NVRTC", folder.path().c_str(), "no such file there"});
}

TEST(DriverError, NamesTheOperationTheErrorAndItsKind) {
  testing::reset_fake_cuda(ANYBIT_FAKE_CUDA);
  const DriverApi api = load_driver(ANYBIT_FAKE_CUDA).value();
  const Error fault = driver_error(api, 700, "copying 64 bytes");
  EXPECT_EQ(fault.code, ErrorCode::kDeviceError);
  EXPECT_EQ(fault.message,
            "copying 64 bytes: CUDA_ERROR_ILLEGAL_ADDRESS (700): what the driver says");
  EXPECT_EQ(driver_error(api, 999, "x").message, "x: unknown CUDA error (999): no description");
  EXPECT_EQ(driver_error(api, 1, "x").code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(driver_error(api, 2, "x").code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(driver_error(api, 100, "x").code, ErrorCode::kUnsupported);
  EXPECT_EQ(driver_error(api, 200, "x").code, ErrorCode::kCorruptData);
  EXPECT_EQ(driver_error(api, 209, "x").code, ErrorCode::kUnsupported);
  EXPECT_EQ(driver_error(api, 500, "x").code, ErrorCode::kNotFound);
  EXPECT_TRUE(check_driver(api, 0, "x"));
  EXPECT_FALSE(check_driver(api, 2, "x"));
}

TEST(NvrtcError, NamesTheOperationTheErrorAndItsKind) {
  const NvrtcApi api = load_nvrtc(ANYBIT_FAKE_CUDA).value();
  EXPECT_EQ(nvrtc_error(api, 6, "compiling").message, "compiling: NVRTC_ERROR_COMPILATION (6)");
  EXPECT_EQ(nvrtc_error(api, 6, "x").code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(nvrtc_error(api, 1, "x").code, ErrorCode::kOutOfMemory);
  EXPECT_EQ(nvrtc_error(api, 5, "x").code, ErrorCode::kUnsupported);
  EXPECT_EQ(nvrtc_error(api, 11, "x").code, ErrorCode::kDeviceError);
}

}  // namespace
}  // namespace anybit::vm::cuda
