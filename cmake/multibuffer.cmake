# SHA-256 of many buffers at once, where the machine's kind has the library for it (x86-64). Without it libcrypto
# hashes one after the other.
find_path(IPSEC_MB_INCLUDE intel-ipsec-mb.h)
find_library(IPSEC_MB_LIBRARY IPSec_MB)
add_library(ckpt_multibuffer INTERFACE)
if(IPSEC_MB_INCLUDE AND IPSEC_MB_LIBRARY)
	target_include_directories(ckpt_multibuffer SYSTEM INTERFACE ${IPSEC_MB_INCLUDE})
	target_link_libraries(ckpt_multibuffer INTERFACE ${IPSEC_MB_LIBRARY})
	target_compile_definitions(ckpt_multibuffer INTERFACE CKPT_HAVE_IPSEC_MB)
else()
	message(STATUS "intel-ipsec-mb: not found, SHA-256 by libcrypto alone")
endif()
