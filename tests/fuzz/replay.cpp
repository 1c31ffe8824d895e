// A fuzz target without a fuzzer: feeds it each file of a corpus, then mutations of them from one seed. It finds less
// than libFuzzer, but runs with any compiler, in seconds, the same on every machine. A crash prints its input.
//   fuzz_<name> CORPUS [RUNS [SEED]]       CORPUS may also be one file, to look at one input
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "ringpost/base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using ringpost::Random;
using Input = std::string;

constexpr std::uint64_t kRuns = 20'000;
constexpr std::uint64_t kSeed = 1;
constexpr std::size_t kInputLimit = 65'536;            // octets of a mutated input
constexpr auto kTimeLimit = std::chrono::seconds(20);  // mutations end then, however slow the machine is
constexpr std::array kSignals = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};

const Input* current = nullptr;

// Async-signal-safe: it may be called out of a broken heap.
void print_input(int number) {
  constexpr char kHex[] = "0123456789ABCDEF";
  constexpr char kHead[] = "\ninput of the crash, as hexadecimal octets:\n";
  (void)!write(STDERR_FILENO, kHead, sizeof kHead - 1);
  for (const char c : *current) {
    const auto octet = static_cast<unsigned char>(c);
    const char pair[2] = {kHex[octet >> 4], kHex[octet & 15]};
    (void)!write(STDERR_FILENO, pair, 2);
  }
  (void)!write(STDERR_FILENO, "\n", 1);
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void run(const Input& input) {
  current = &input;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

Input read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<Input> read_corpus(const std::filesystem::path& where) {
  if (!std::filesystem::is_directory(where)) return {read_file(where)};
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(where)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());  // the order of a directory is not the same everywhere
  std::vector<Input> corpus;
  for (const auto& path : paths) corpus.push_back(read_file(path));
  return corpus;
}

void mutate_once(Input& input, const std::vector<Input>& corpus, Random& random) {
  const std::size_t at = random.below(input.size() + 1);
  const std::size_t length = std::min<std::size_t>(random.below(16) + 1, input.size() - at);
  switch (random.below(7)) {
    case 0:
      if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << random.below(8)));
      break;
    case 1:
      if (at < input.size()) input[at] = static_cast<char>(random.next());
      break;
    case 2:
      input.erase(at, length);
      break;
    case 3: {  // one draw a statement: the order of arguments is the compiler's
      const auto octet = static_cast<char>(random.next());
      input.insert(at, std::string(random.below(8) + 1, octet));
      break;
    }
    case 4:
      input.insert(random.below(input.size() + 1), input.substr(at, length));
      break;
    case 5: {
      using namespace std::string_view_literals;
      constexpr std::array kWords = {"\r\n"sv, "\r"sv, "\n"sv, "."sv, "\r\n.\r\n"sv, "\0x"sv, "<"sv, "4294967296"sv};
      input.insert(at, kWords[random.below(kWords.size())]);
      break;
    }
    default: {
      const Input& other = corpus[random.below(corpus.size())];
      const std::size_t from = random.below(other.size() + 1);
      input = input.substr(0, at) + other.substr(from);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s CORPUS [RUNS [SEED]]\n", argv[0]);
    return 2;
  }
  for (const int number : kSignals) std::signal(number, print_input);
  const std::vector<Input> corpus = read_corpus(argv[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: no input\n", argv[1]);
    return 1;
  }
  for (const Input& input : corpus) run(input);
  const std::uint64_t runs = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : kRuns;
  Random random(argc > 3 ? std::strtoull(argv[3], nullptr, 10) : kSeed);
  const auto end = std::chrono::steady_clock::now() + kTimeLimit;
  std::uint64_t done = 0;
  for (; done < runs && std::chrono::steady_clock::now() < end; ++done) {
    Input input = corpus[random.below(corpus.size())];
    for (std::uint64_t count = random.below(6) + 1; count > 0; --count) mutate_once(input, corpus, random);
    if (input.size() > kInputLimit) input.resize(kInputLimit);
    run(input);
  }
  std::printf("%zu inputs of the corpus and %llu mutations\n", corpus.size(), static_cast<unsigned long long>(done));
  return 0;
}
