/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * See half_renamed.h. Only names that would be data are taken for such: a person's notes.tmp is
 * not.
 */
#include "core/integrity/half_renamed.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/file.h"
#include "wire/text.h"

/* What is put behind a name until it is whole. A digit run may follow (TensorFlow's tempstate). */
static const char *const temporary[] = { ".tmp", ".part", ".partial", ".incomplete", ".tempstate" };

static const char *const data[] = {
	".pt",	   ".pth", ".bin", ".pkl", ".ckpt",    ".safetensors", ".json",
	".distcp", ".h5",  ".npz", ".npy", ".msgpack", ".img",
};

/* Cuts the temporary ending off @name. False where it has none. */
static bool cut_ending(char *name)
{
	size_t len = strlen(name);

	while (len > 0 && name[len - 1] >= '0' && name[len - 1] <= '9')
		len--;
	for (size_t i = 0; i < sizeof(temporary) / sizeof(*temporary); i++) {
		size_t n = strlen(temporary[i]);

		if (len <= n || strncmp(name + len - n, temporary[i], n) != 0)
			continue;
		name[len - n] = '\0';
		return true;
	}
	return false;
}

static bool is_data(const char *name)
{
	for (size_t i = 0; i < sizeof(data) / sizeof(*data); i++)
		if (ckpt_text_ends(name, data[i]))
			return true;
	return false;
}

static bool is_half_renamed(int fd, const char *entry)
{
	char name[256];

	return ckpt_text_copy(name, sizeof(name), entry) && cut_ending(name) && is_data(name) &&
	       !ckpt_dir_has(fd, name);
}

static DIR *open_dir(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (fd >= 0 && !dir)
		close(fd);
	return dir;
}

static bool search(DIR *dir, const char *below, char *ret, size_t size)
{
	const struct dirent *e;

	while ((e = readdir(dir)))
		if (e->d_name[0] != '.' && is_half_renamed(dirfd(dir), e->d_name)) {
			snprintf(ret, size, "%s%s%s", below, below[0] ? "/" : "", e->d_name);
			return true;
		}
	return false;
}

static bool search_folders(DIR *dir, char *ret, size_t size)
{
	const struct dirent *e;

	rewinddir(dir);
	while ((e = readdir(dir))) {
		_cleanup_closedir_ DIR *folder = NULL;

		if (e->d_name[0] != '.' && e->d_type == DT_DIR)
			folder = open_dir(dirfd(dir), e->d_name);
		if (folder && search(folder, e->d_name, ret, size))
			return true;
	}
	return false;
}

bool ckpt_half_renamed(int dirfd, const char *name, char *ret, size_t size)
{
	_cleanup_closedir_ DIR *dir = open_dir(dirfd, name);

	return dir && (search(dir, "", ret, size) || search_folders(dir, ret, size));
}
