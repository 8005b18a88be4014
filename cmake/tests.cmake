# Unit tests: tests/unit/test_MODULE.c each become a program, run by ctest.
pkg_check_modules(CMOCKA IMPORTED_TARGET cmocka)
if(NOT CMOCKA_FOUND)
	message(STATUS "cmocka is not installed: the tests are not built")
	return()
endif()
file(GLOB _tests CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/test_*.c)
file(GLOB _helpers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/unit/support/*.c)
add_library(ckpt_testkit STATIC ${_helpers})
target_link_libraries(ckpt_testkit PUBLIC ckpt_watch ckpt_resolve PkgConfig::CMOCKA)
# cmocka 2 wants assert_int_in_range for assert_in_range, which is all that cmocka 1 has
if(CMOCKA_VERSION VERSION_GREATER_EQUAL 2)
	target_compile_options(ckpt_testkit PUBLIC -Wno-deprecated-declarations)
endif()
target_compile_definitions(ckpt_testkit PUBLIC
	CKPT_SAMPLES="${PROJECT_SOURCE_DIR}/../shared/samples"
	CKPT_SAMPLE_CONF="${PROJECT_BINARY_DIR}/slurm.conf.d/ckpt-resume.conf"
	CKPT_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
foreach(_test ${_tests})
	get_filename_component(_name ${_test} NAME_WE)
	add_executable(${_name} ${_test})
	target_link_libraries(${_name} PRIVATE ckpt_testkit ckpt_hooklib)
	set_target_properties(${_name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
	add_test(NAME ${_name} COMMAND ${_name})
	set_tests_properties(${_name} PROPERTIES SKIP_RETURN_CODE 77)
endforeach()

# Agents for the hooks' tests. Never sanitized: they run under the agent's address space limit.
add_executable(ckpt-fake-agent tests/hooks/fake_agent.c)
target_compile_options(ckpt-fake-agent PRIVATE -fno-sanitize=all)
target_link_options(ckpt-fake-agent PRIVATE -fno-sanitize=all)
set_target_properties(ckpt-fake-agent PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# A host for the plugin that is no Slurm; it offers the SPANK calls to what it loads.
add_executable(ckpt-fake-spank tests/plugin/fake_spank.c)
target_link_libraries(ckpt-fake-spank PRIVATE ${CMAKE_DL_LIBS})
set_target_properties(ckpt-fake-spank PROPERTIES ENABLE_EXPORTS ON C_VISIBILITY_PRESET default
	RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# A file system that takes requests and answers none.
add_executable(ckpt-dead-fuse tests/hooks/dead_fuse.c)
set_target_properties(ckpt-dead-fuse PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# The agent's confinement, tried from inside.
add_executable(ckpt-confined tests/hooks/confined.c agent/confine.c)
target_link_libraries(ckpt-confined PRIVATE ckpt_resolve PkgConfig::SECCOMP)
set_target_properties(ckpt-confined PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# What measures the plugin and the hooks in tests/scale.
add_executable(ckpt-clock-hook tests/scale/clock_hook.c)
set_target_properties(ckpt-clock-hook PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
add_library(clock_spank MODULE tests/scale/clock_spank.c)
set_target_properties(clock_spank PROPERTIES PREFIX "" C_VISIBILITY_PRESET default
	LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

# One good checkpoint, read while things go wrong.
add_executable(ckpt-faults tests/damage/faults.c)
target_link_libraries(ckpt-faults PRIVATE ckpt_resolve)
set_target_properties(ckpt-faults PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
