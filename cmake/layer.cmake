option(ANYBIT_SANITIZE_ADDRESS "Compile with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(ANYBIT_SANITIZE_THREAD "Compile with ThreadSanitizer" OFF)
option(ANYBIT_FUZZ "Build the libFuzzer targets (clang)" OFF)

add_compile_options(-Wall -Wextra -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers
                    -Werror=return-type)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-restrict)  # GCC 12 reports std::string concatenation falsely.
endif()
# Results must not depend on how the compiler contracts or reorders floating-point operations.
add_compile_options(-ffp-contract=off)
if(ANYBIT_SANITIZE_ADDRESS)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(ANYBIT_SANITIZE_THREAD)
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
endif()
if(ANYBIT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(ANYBIT_MOLD mold)
if(ANYBIT_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
find_program(ANYBIT_CCACHE ccache)
if(ANYBIT_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ANYBIT_CCACHE})
endif()

# Sources named x_avx2.cc, x_avx512.cc, x_avx512vnni.cc are compiled for that instruction set and
# called only after cpuid has shown it (base/cpu.h).
set(ANYBIT_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(ANYBIT_FLAGS_avx512 ${ANYBIT_FLAGS_avx2} -mavx512f -mavx512bw -mavx512cd -mavx512dq -mavx512vl
    -mprefer-vector-width=512)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12's own AVX-512 headers use undefined registers, and it reports them (GCC bug 105593).
  list(APPEND ANYBIT_FLAGS_avx512 -Wno-uninitialized -Wno-maybe-uninitialized)
endif()
set(ANYBIT_FLAGS_avx512vnni ${ANYBIT_FLAGS_avx512} -mavx512vnni -mavx512vbmi -mavx512bf16)

function(anybit_isa_sources)
  foreach(source ${ARGN})
    if(source MATCHES "_(avx2|avx512|avx512vnni)\\.cc$")
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS
                                  "${ANYBIT_FLAGS_${CMAKE_MATCH_1}}")
    endif()
  endforeach()
endfunction()

# anybit_layer(NAME numeric DEPS base): the library anybit::numeric from anybit/numeric/, its
# headers as the public interface, and one test per *_test.cc beside its sources.
# LINK and PRIVATE name third-party libraries, TEST_LINK those of the tests only.
function(anybit_layer)
  cmake_parse_arguments(L "" "NAME" "DEPS;LINK;PRIVATE;TEST_LINK" ${ARGN})
  set(dir ${CMAKE_SOURCE_DIR}/anybit/${L_NAME})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${dir}/*.h)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${dir}/*.cc)
  list(FILTER sources EXCLUDE REGEX "^${dir}/main/")
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  set(public_headers ${headers})
  list(FILTER public_headers EXCLUDE REGEX "^${dir}/.*internal/")
  if(sources)
    add_library(anybit_${L_NAME} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(anybit_${L_NAME} INTERFACE)
    set(scope INTERFACE)
  endif()
  add_library(anybit::${L_NAME} ALIAS anybit_${L_NAME})
  anybit_isa_sources(${sources})
  target_sources(anybit_${L_NAME} ${scope} FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}
                 FILES ${public_headers})
  target_include_directories(anybit_${L_NAME} ${scope} ${CMAKE_SOURCE_DIR})
  list(TRANSFORM L_DEPS PREPEND anybit::)
  target_link_libraries(anybit_${L_NAME} ${scope} ${L_DEPS} ${L_LINK})
  if(sources AND L_PRIVATE)
    target_link_libraries(anybit_${L_NAME} PRIVATE ${L_PRIVATE})
  endif()
  foreach(test ${tests})
    cmake_path(GET test STEM name)
    add_executable(${L_NAME}_${name} ${test})
    target_link_libraries(${L_NAME}_${name} PRIVATE anybit::${L_NAME} GTest::gtest_main
                          ${L_TEST_LINK})
    target_compile_definitions(${L_NAME}_${name} PRIVATE
                               ANYBIT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    add_test(NAME ${L_NAME}/${name} COMMAND ${L_NAME}_${name})
  endforeach()
endfunction()
