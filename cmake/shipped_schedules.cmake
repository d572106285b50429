# The tables of measured schedules (vm/tuning/shipped/*.txt) become text inside the vm library.
file(GLOB schedule_tables CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/anybit/vm/tuning/shipped/*.txt)
set(schedule_text "")
foreach(table ${schedule_tables})
  file(READ ${table} text)
  string(APPEND schedule_text "${text}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${table})
endforeach()
set(schedule_source ${CMAKE_BINARY_DIR}/generated/shipped_schedules.cc)
file(CONFIGURE OUTPUT ${schedule_source} @ONLY CONTENT
"#include \"anybit/vm/tuning/internal/shipped_schedules.h\"
namespace anybit::vm::internal {
const std::string_view kShippedSchedules = R\"table(@schedule_text@)table\";
}
")
target_sources(anybit_vm PRIVATE ${schedule_source})
