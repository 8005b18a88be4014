/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcrypto, loaded when the first digest is to be computed: its start takes about as long as all
 * else that a program does which computes none, and most runs are such.
 */
#ifndef CKPT_CORE_BASE_LIBCRYPTO_H
#define CKPT_CORE_BASE_LIBCRYPTO_H

/* Nothing newer than SHA256_Update() lets a state in and out. */
#ifndef OPENSSL_SUPPRESS_DEPRECATED
#define OPENSSL_SUPPRESS_DEPRECATED
#endif
#include <openssl/evp.h>
#include <openssl/sha.h>

/* Its functions, by their own names. */
struct ckpt_libcrypto {
	__typeof__(&EVP_Digest) EVP_Digest;
	__typeof__(&EVP_DigestFinal_ex) EVP_DigestFinal_ex;
	__typeof__(&EVP_DigestInit_ex) EVP_DigestInit_ex;
	__typeof__(&EVP_DigestUpdate) EVP_DigestUpdate;
	__typeof__(&EVP_MD_CTX_free) EVP_MD_CTX_free;
	__typeof__(&EVP_MD_CTX_new) EVP_MD_CTX_new;
	__typeof__(&EVP_get_digestbyname) EVP_get_digestbyname;
	__typeof__(&EVP_md5) EVP_md5;
	__typeof__(&EVP_sha256) EVP_sha256;
	__typeof__(&SHA256_Init) SHA256_Init;
	__typeof__(&SHA256_Update) SHA256_Update;
};

/* Loads it, once for all threads. NULL where it is not there or lacks a function; the table lives
 * as long as the process. */
const struct ckpt_libcrypto *ckpt_libcrypto(void);

#endif
