// Google Benchmark's main, compiled once for all micro benchmarks.
#include <benchmark/benchmark.h>

BENCHMARK_MAIN();
