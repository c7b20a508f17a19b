// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU TCG plugin: counts executed guest instructions by address. SIGUSR1
 * writes the counts so far to OUT.<n>, n from 0. Argument: out=OUT.
 */
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The part of QEMU's plugin interface, version 1, that is used here. */
#define EXPORT __attribute__((visibility("default")))
struct qemu_plugin_tb;
typedef uint64_t qemu_plugin_id_t;
typedef void (*tb_trans_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_cb cb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, enum qemu_plugin_op op, void *ptr, uint64_t imm);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
EXPORT int qemu_plugin_version = 1;

struct block {
	struct block *next;
	uint64_t addr, insns, runs;
};

#define BUCKETS (1 << 16)
static struct block *table[BUCKETS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *out;

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	uint64_t addr = qemu_plugin_tb_vaddr(tb), insns = qemu_plugin_tb_n_insns(tb);
	struct block **head = &table[(addr ^ addr >> 16) % BUCKETS], *b;

	(void)id;
	pthread_mutex_lock(&lock);
	for (b = *head; b; b = b->next)
		if (b->addr == addr && b->insns == insns)
			break;
	if (!b) {
		b = calloc(1, sizeof(*b));
		b->addr = addr;
		b->insns = insns;
		b->next = *head;
		*head = b;
	}
	pthread_mutex_unlock(&lock);
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &b->runs, 1);
}

static void *writer(void *arg)
{
	sigset_t *set = arg;
	char name[512];
	int number = 0, sig;

	while (!sigwait(set, &sig)) {
		snprintf(name, sizeof(name), "%s.tmp", out);
		FILE *f = fopen(name, "w");
		if (!f)
			abort();
		pthread_mutex_lock(&lock);
		for (int i = 0; i < BUCKETS; i++)
			for (struct block *b = table[i]; b; b = b->next)
				if (b->runs)
					fprintf(f, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", b->addr, b->insns, b->runs);
		pthread_mutex_unlock(&lock);
		fclose(f);
		char final[512];
		snprintf(final, sizeof(final), "%s.%d", out, number++);
		rename(name, final);
	}
	return NULL;
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	static sigset_t set;
	pthread_t thread;

	(void)info;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	if (!out)
		return -1;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	pthread_create(&thread, NULL, writer, &set);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
