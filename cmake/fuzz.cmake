# libFuzzer targets (clang only): tests/fuzz/fuzz_NAME.c -> build/fuzz/fuzz_NAME. Sanitizers for all code.
if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
	message(FATAL_ERROR "CKPT_FUZZ needs clang: -DCMAKE_C_COMPILER=clang")
endif()
add_compile_options(-g -O1 -fno-omit-frame-pointer -fno-sanitize-recover=undefined
	-fsanitize=fuzzer-no-link,address,undefined)
add_link_options(-fsanitize=address,undefined)

function(ckpt_fuzz_targets)
	file(GLOB _fuzzers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/fuzz_*.c)
	foreach(_fuzzer ${_fuzzers})
		get_filename_component(_name ${_fuzzer} NAME_WE)
		add_executable(${_name} ${_fuzzer})
		target_link_options(${_name} PRIVATE -fsanitize=fuzzer)
		foreach(_layer ckpt_watch ckpt_resolve ckpt_config ckpt_record ckpt_integrity ckpt_catalog ckpt_format ckpt_base ckpt_wire)
			if(TARGET ${_layer})
				target_link_libraries(${_name} PRIVATE ${_layer})
			endif()
		endforeach()
		set_target_properties(${_name} PROPERTIES
			RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
	endforeach()
endfunction()
