/* SPDX-License-Identifier: MIT */
/*
 * replay.c - a fuzzer's main() without libFuzzer: each file of the folders named is an input
 */
#include "fuzz/fuzz.h"

#include <dirent.h>

static void replay_file(const char *path)
{
    static uint8_t data[1024 * 1024];
    FILE *file = fopen(path, "rb");
    uint8_t *exact;
    size_t size;

    MUST(file != NULL);
    size = fread(data, 1, sizeof(data), file);
    (void)fclose(file);
    exact = malloc(size + 1); /* so that a sanitizer sees where it ends */
    MUST(exact != NULL);
    memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static size_t replay_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    struct dirent *entry;
    size_t count = 0;
    char path[4096];

    MUST(entries != NULL);
    while ((entry = readdir(entries)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        replay_file(path);
        count++;
    }
    (void)closedir(entries);
    return count;
}

int main(int argc, char **argv)
{
    size_t count = 0;

    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    (void)printf("%zu inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
