/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See libcrypto.h. The one thing that core keeps from call to call: a library is a process's, too.
 */
#include "core/base/libcrypto.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
/* The version whose headers the program was built with. */
#define SONAME "libcrypto.so." TEXT(OPENSSL_SHLIB_VERSION)

#define FUNCTION(name)                                                                             \
	{                                                                                          \
#name, offsetof(struct ckpt_libcrypto, name)                                       \
	}

static const struct {
	const char *name;
	size_t at;
} functions[] = {
	FUNCTION(EVP_Digest),		FUNCTION(EVP_DigestFinal_ex),
	FUNCTION(EVP_DigestInit_ex),	FUNCTION(EVP_DigestUpdate),
	FUNCTION(EVP_MD_CTX_free),	FUNCTION(EVP_MD_CTX_new),
	FUNCTION(EVP_get_digestbyname), FUNCTION(EVP_md5),
	FUNCTION(EVP_sha256),		FUNCTION(SHA256_Init),
	FUNCTION(SHA256_Update),
};

#define N_FUNCTIONS (sizeof(functions) / sizeof(functions[0]))

_Static_assert(N_FUNCTIONS * sizeof(void *) == sizeof(struct ckpt_libcrypto), "a row a function");

static struct ckpt_libcrypto table;
static bool loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
	void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; library && i < N_FUNCTIONS; i++) {
		void *function = dlsym(library, functions[i].name);

		if (!function)
			return;
		memcpy((char *)&table + functions[i].at, &function, sizeof(function));
	}
	loaded = library != NULL;
}

const struct ckpt_libcrypto *ckpt_libcrypto(void)
{
	pthread_once(&once, load);
	return loaded ? &table : NULL;
}
