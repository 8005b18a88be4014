# Warnings, hardening and the sanitizer build, for every target.
add_compile_options(-Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wundef -Wvla
	-Wformat=2 -Wimplicit-fallthrough -fno-common)
if(CKPT_WERROR)
	add_compile_options(-Werror)
endif()
add_compile_definitions(_GNU_SOURCE)
include_directories(${PROJECT_SOURCE_DIR})

set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O0 -g3")
set(CMAKE_C_FLAGS_ASAN "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer")
set(CMAKE_EXE_LINKER_FLAGS_ASAN "-fsanitize=address,undefined")
if(CMAKE_BUILD_TYPE STREQUAL "Release")
	add_compile_options(-fstack-protector-strong -fstack-clash-protection)
	add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
# What a program does not call itself is not loaded at its start: libcrypto is, when it is needed.
add_link_options(-Wl,--as-needed -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
