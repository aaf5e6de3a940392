// The rings and the clock of the shared memory, and the DPI functions that belong to no single stream.
#include "shared_memory.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "svdpi.h"

namespace harness {

SharedMemory shared = {};

namespace {
bool wake_requested = false;
uint32_t remaining[kStreams];  // clocks that a stall still lasts
constexpr uint32_t kAlign = sizeof(RecordHeader);  // so that a filler at the end has room for its header

uint32_t aligned(uint32_t size) { return (size + kAlign - 1) & ~(kAlign - 1); }
}  // namespace

void request_wake() { wake_requested = true; }

void *new_record(uint32_t kind, uint32_t size) {
  Ring &ring = shared.observed;
  size = aligned(size);
  uint32_t offset = ring.written % kRingBytes;
  uint32_t to_end = kRingBytes - offset;
  uint32_t pad = to_end < size ? to_end : 0;
  if (ring.written + pad + size - ring.read > kRingBytes) {
    std::fprintf(stderr, "The ring of observed packets overflows: nothing in Python reads it.\n");
    std::abort();
  }
  if (pad) {
    auto *filler = reinterpret_cast<RecordHeader *>(ring.bytes + offset);
    filler->size = pad;
    filler->kind = kPad;
    ring.written += pad;
    offset = 0;
  }
  auto *header = reinterpret_cast<RecordHeader *>(ring.bytes + offset);
  header->size = size;
  header->kind = kind;
  header->time_ns = shared.time_ns;
  ring.written += size;
  if (ring.written - ring.read > kRingBytes / 4) request_wake();
  return header;
}

const RecordHeader *next_record(Ring &ring) {
  while (ring.read != ring.written) {
    auto *header = reinterpret_cast<const RecordHeader *>(ring.bytes + ring.read % kRingBytes);
    if (header->kind != kPad) return header;
    ring.read += header->size;
  }
  return nullptr;
}

void drop_record(Ring &ring) {
  ring.read += reinterpret_cast<const RecordHeader *>(ring.bytes + ring.read % kRingBytes)->size;
}

bool stalled(Stream stream) {
  Throttle &throttle = shared.throttle[stream];
  if (!throttle.stall_per_256) {
    remaining[stream] = 0;  // who takes a stall back means it
    return false;
  }
  if (remaining[stream]) {
    --remaining[stream];
    return true;
  }
  throttle.seed ^= throttle.seed << 13;
  throttle.seed ^= throttle.seed >> 7;
  throttle.seed ^= throttle.seed << 17;
  if ((throttle.seed >> 32 & 0xFF) >= throttle.stall_per_256) return false;
  remaining[stream] = throttle.longest ? (throttle.seed >> 40) % throttle.longest : 0;
  return true;
}

void report_fault(uint32_t stream, uint32_t code, uint64_t expected, uint64_t seen) {
  auto *record = static_cast<FaultRecord *>(new_record(kFault, sizeof(FaultRecord)));
  record->stream = stream;
  record->code = code;
  record->expected = expected;
  record->seen = seen;
  request_wake();
}

}  // namespace harness

using namespace harness;

extern "C" {

// The address of the shared memory, for Python.
long long harness_open(int data_bytes) {
  shared.magic = kMagic;
  shared.version = kVersion;
  shared.accept_limit = INT32_MAX;
  shared.data_bytes = data_bytes;
  return reinterpret_cast<long long>(&shared);
}

void harness_clock(long long time_ns) {
  ++shared.cycle;
  shared.time_ns = time_ns;
  coverage_clock();
  if (!(shared.cycle & 0xFFF)) check_tap();
}

int harness_accept_limit() { return shared.accept_limit; }

void harness_held(int ns) { shared.held_ns += ns; }

unsigned char harness_wake() {
  bool wake = wake_requested;
  wake_requested = false;
  return wake;
}

unsigned char harness_ready(int stream) { return !stalled(static_cast<Stream>(stream)); }

void harness_fault(int stream, int code, int seen) { report_fault(stream, code, 0, seen); }

void harness_reset() {
  reset_sources();
  reset_tap();
  reset_block_media();
  for (uint32_t &clocks : remaining) clocks = 0;
  new_record(kReset, sizeof(RecordHeader));
  request_wake();
}

}  // extern "C"
