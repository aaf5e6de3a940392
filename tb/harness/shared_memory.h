// Memory that the simulation and Python share: rings of records and a few settings.
//
// Both run in one process and one thread, so there is no locking. `tb/harness/shared_memory.py` mirrors this layout;
// the magic number and the version keep the two together.
#pragma once

#include <cstdint>

namespace harness {

constexpr uint64_t kMagic = 0x4843544549435056ull;  // "VPCIETCH" read as bytes
constexpr uint32_t kVersion = 4;
constexpr uint32_t kRingBytes = 1u << 20;
constexpr uint32_t kMaxPayload = 4096;

// Everything with valid and ready, in the order of `throttle` below and of the fault records.
enum Stream : uint32_t {
  kRxReq = 0,
  kTxCpl = 1,
  kTxReq = 2,
  kRxCpl = 3,
  kBlkReq = 4,
  kBlkWdata = 5,
  kBlkRdata = 6,
  kBlkRsp = 7,
  kStreams = 8,
};

enum RecordKind : uint32_t {
  kPad = 0,           // skip to the start of the ring
  kPacket = 1,        // PacketRecord
  kFault = 2,         // FaultRecord
  kReset = 3,         // RecordHeader only: the function was reset
  kMediaRequest = 4,  // MediaRecord: op, sector, count
  kMediaWrite = 5,    // MediaRecord: pointer and length of the data that passed
  kMediaResponse = 6, // MediaRecord: op = error, pointer and length of the data that will pass
};

struct RecordHeader {
  uint32_t size;  // bytes with this header, a multiple of 16
  uint32_t kind;
  uint64_t time_ns;  // simulation to Python: when; Python to pins: first clock at which it may start
};

struct PacketRecord {
  RecordHeader head;
  uint32_t stream;
  uint32_t payload_bytes;
  uint64_t header_low;   // header bits 63:0
  uint64_t header_high;  // header bits 127:64
  uint64_t held_ns;      // of `time_ns`, as in SharedMemory
  uint64_t waited_ns;    // of a request of the host: how much of the function's own time it waited to be taken
  // payload_bytes follow
};

struct FaultRecord {
  RecordHeader head;
  uint32_t stream;
  uint32_t code;
  uint64_t expected;
  uint64_t seen;
};

struct MediaRecord {
  RecordHeader head;
  uint32_t op;
  uint32_t count;
  uint64_t sector;
  uint64_t pointer;
  uint64_t length;
  uint64_t held_ns;  // as above
};

struct Ring {
  uint64_t written;  // bytes ever written
  uint64_t read;     // bytes ever read
  uint8_t bytes[kRingBytes];
};

// How often a stream's ready (or valid, for a stream that the harness drives) stays away.
struct Throttle {
  uint32_t stall_per_256;  // chance of a stall per clock, in 1/256; 256 stands still
  uint32_t longest;        // clocks, at least 1 when stall_per_256 is not 0
  uint64_t seed;           // state of the generator, never 0
};

struct SharedMemory {
  uint64_t magic;
  uint32_t version;
  uint32_t data_bytes;  // DataWidth / 8
  uint64_t cycle;       // clocks since the start
  uint64_t time_ns;
  uint64_t unfinished;  // packets that have begun on the pins and not ended, and what waits for them
  uint64_t eager;       // not 0: Python is woken for every packet, not only for those it has to answer
  uint64_t held_ns;     // time since the start that was not the function's own: see hold_watch.sv
  uint64_t coverage;    // address of a `CoverageWindow`, 0 in a build that does not count
  uint64_t accept_limit;  // clocks that a completion for the function may wait to be taken
  Throttle throttle[kStreams];
  Ring observed;  // simulation to Python
  Ring rx_req;    // Python to pins
  Ring rx_cpl;    // Python to pins
  Ring media;     // Python to pins
};

extern SharedMemory shared;

// How Python reads what the build counts of the design's lines, branches, expressions and toggles (coverage.cpp).
struct CoverageWindow {
  uint64_t points;  // counters
  uint64_t events;  // kinds of events from outside
  // Writes the list of all points to a file; a point's count there is its number and one.
  void (*describe)(const char *file);
  // Which points are counted for events: one byte each, 0 for no.
  void (*watch)(const uint8_t *paired);
  // What happened since the last call and is not in `seen` (one byte a point, then one a pair): the numbers of these
  // features, at most `most`. Adds them to `seen` and starts anew.
  uint32_t (*take)(uint8_t *seen, uint32_t *fresh, uint32_t most);
};

// A packet from outside has begun in this clock: coverage notes what the function does about it next.
void note_event(uint32_t stream, uint64_t header_low, uint64_t header_high);

// Called once a clock, ahead of everything else.
void coverage_clock();

// Asks for Python at the next falling edge of the clock.
void request_wake();

// A record of `size` bytes at the end of `observed`, its header filled in. Valid until the next call.
void *new_record(uint32_t kind, uint32_t size);

// An event of the disk's port, at its place in the order of the packets.
void observe_media(const MediaRecord &record);

// The oldest record of a ring that Python writes, or nullptr; `drop_record` frees it.
const RecordHeader *next_record(Ring &ring);
void drop_record(Ring &ring);

// True when the stream has to pause in this clock.
bool stalled(Stream stream);

// A broken pin rule.
void report_fault(uint32_t stream, uint32_t code, uint64_t expected, uint64_t seen);

// The function's own time so far.
inline uint64_t own_ns() { return shared.time_ns - shared.held_ns; }

// When the oldest request of the host that is not taken yet was offered, in the function's own time; forgets it.
uint64_t offered_ns();

// Called when the function's reset is asserted, one per source file.
void reset_sources();
void reset_tap();
void reset_block_media();

// Called now and then: gives up a packet that does not go on.
void check_tap();

}  // namespace harness
