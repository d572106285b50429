# The device header of generated kernels becomes text inside the vm library (vm/backend/cuda).
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(device_dir ${CMAKE_BINARY_DIR}/generated/device)
file(MAKE_DIRECTORY ${device_dir})
file(GLOB device_headers CONFIGURE_DEPENDS
     ${CMAKE_SOURCE_DIR}/anybit/vm/backend/cuda/device/*.h)
add_custom_command(
  OUTPUT ${device_dir}/device_source.cc
  COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tools/embed_device_header.py
          ${CMAKE_SOURCE_DIR} ${device_dir}/device_source.cc
  DEPENDS ${CMAKE_SOURCE_DIR}/tools/embed_device_header.py
          ${device_headers} ${CMAKE_SOURCE_DIR}/anybit/vm/exact_math.h
          ${CMAKE_SOURCE_DIR}/anybit/vm/exact_half.h ${CMAKE_SOURCE_DIR}/anybit/vm/mma_order.h)
target_sources(anybit_vm PRIVATE ${device_dir}/device_source.cc)
