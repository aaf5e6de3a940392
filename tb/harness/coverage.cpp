// What the build counts, for whoever steers by it: which points of the design were hit, how often, and which were hit in
// the clocks behind an event from outside. In a build without coverage there is nothing here but empty functions.
#include "shared_memory.h"

#if VM_COVERAGE

#include <cstring>
#include <vector>

#include "Vtop__Syms.h"
#include "verilated_cov.h"

namespace harness {
namespace {

constexpr uint32_t kEventClocks = 4;  // how long what is hit is put down to the event
constexpr uint32_t kEvents = 128;
constexpr uint32_t kQuiet = ~0u;

bool opened = false;
uint32_t *counts;
std::vector<uint32_t> before;       // the counters when the open event began
std::vector<uint32_t> paired;       // the points that are counted for events
std::vector<uint8_t> pairs;         // hit, by event and point
std::vector<uint32_t> pairs_hit;    // the same as a list
uint32_t event = kQuiet;
uint32_t clocks_left;

constexpr uint32_t points() { return sizeof(Vtop__Syms::__Vcoverage) / sizeof(uint32_t); }

// A kind of packet and, for an access to registers, the register: 0..127.
uint32_t event_of(uint32_t stream, uint64_t low, uint64_t high) {
  uint32_t kind = high >> 56 & 0x7F;
  if (stream == kRxCpl) return 0x70 | (high >> 46 & 1) << 3 | (high >> 13 & 7);
  bool writes = kind & 0x40;
  uint32_t address = (kind & 0x20) ? low & 0xFFFFFFFF : low >> 32;
  uint32_t space = (kind & 0x1F) == 4 ? 0 : (kind & 0x1F) == 2 ? 1 : 2;
  return (space * 2 + writes) << 4 | (address >> 2 & 0xF);
}

void close_event() {
  for (uint32_t at = 0; at < paired.size(); ++at) {
    uint32_t point = paired[at];
    uint32_t pair = event * paired.size() + at;
    if (counts[point] == before[point] || pairs[pair]) continue;
    pairs[pair] = 1;
    pairs_hit.push_back(pair);
  }
  event = kQuiet;
}

// A bit for how often: once, twice, three times, up to 7, 15, 31, 127, more.
uint8_t bucket(uint32_t count) {
  if (count <= 3) return 1 << (count - 1);
  if (count <= 7) return 8;
  if (count <= 15) return 16;
  if (count <= 31) return 32;
  return count <= 127 ? 64 : 128;
}

void describe(const char *file) {
  for (uint32_t point = 0; point < points(); ++point) counts[point] = point + 1;
  VerilatedCovContext *coverage = Verilated::threadContextp()->coveragep();
  coverage->forcePerInstance(true);
  coverage->write(file);
  std::memset(counts, 0, sizeof(Vtop__Syms::__Vcoverage));
}

void watch(const uint8_t *wanted) {
  paired.clear();
  for (uint32_t point = 0; point < points(); ++point) {
    if (wanted[point]) paired.push_back(point);
  }
  before.assign(points(), 0);
  pairs.assign(kEvents * paired.size(), 0);
  pairs_hit.clear();
}

uint32_t take(uint8_t *seen, uint32_t *fresh, uint32_t most) {
  uint32_t found = 0;
  if (event != kQuiet) close_event();
  for (uint32_t point = 0; point < points() && found < most; ++point) {
    if (!counts[point]) continue;
    uint8_t bit = bucket(counts[point]);
    if (seen[point] & bit) continue;
    seen[point] |= bit;
    fresh[found++] = point * 8 + __builtin_ctz(bit);
  }
  for (uint32_t pair : pairs_hit) {
    pairs[pair] = 0;
    if (seen[points() + pair] || found >= most) continue;
    seen[points() + pair] = 1;
    fresh[found++] = points() * 8 + pair;
  }
  pairs_hit.clear();
  std::memset(counts, 0, sizeof(Vtop__Syms::__Vcoverage));
  return found;
}

CoverageWindow window = {points(), kEvents, describe, watch, take};

// The counters lie in the model's symbol table, which the scope of the top knows; its name depends on the main program.
void open() {
  opened = true;
  const VerilatedScope *scope = nullptr;
  for (const char *name : {"tb_top", "TOP.tb_top"}) {
    if (!scope) scope = Verilated::threadContextp()->scopeFind(name);
  }
  if (!scope) return;
  counts = static_cast<Vtop__Syms *>(scope->symsp())->__Vcoverage;
  shared.coverage = reinterpret_cast<uint64_t>(&window);
}

}  // namespace

void note_event(uint32_t stream, uint64_t header_low, uint64_t header_high) {
  if (!counts || paired.empty()) return;
  if (event != kQuiet) close_event();
  event = event_of(stream, header_low, header_high);
  clocks_left = kEventClocks;
  std::memcpy(before.data(), counts, sizeof(Vtop__Syms::__Vcoverage));
}

void coverage_clock() {
  if (!opened) open();
  if (event != kQuiet && clocks_left-- == 0) close_event();
}

}  // namespace harness

#else

namespace harness {

void note_event(uint32_t, uint64_t, uint64_t) {}
void coverage_clock() {}

}  // namespace harness

#endif
