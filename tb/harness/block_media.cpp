// The disk's side of the block media port: requests and write data to Python, responses and read data from it.
//
// Data passes by pointer: Python keeps a response's bytes until the next one, write data stays for some writes more.
#include <cstring>
#include <deque>
#include <vector>

#include "shared_memory.h"
#include "svdpi.h"

namespace harness {
namespace {

constexpr uint32_t kLastMissing = 9;
constexpr uint32_t kNotAsked = 11;
constexpr uint32_t kTooMuch = 12;
constexpr int kWrite = 1;
constexpr uint64_t kSector = 512;
constexpr uint64_t kMostData = 64ull << 20;
constexpr size_t kKeptWrites = 8;

// The data of the open write request: what it announced and what has come. Between writes nothing is announced.
struct Written {
  uint64_t announced;
  uint64_t came;
  uint64_t beats;
  bool overrun;  // beats up to last are lost
  std::vector<uint8_t> data;
} written;

std::deque<std::vector<uint8_t>> kept;  // of writes that Python may not have seen yet

enum class State { kIdle, kWaiting, kOnPins, kData };

struct Response {
  State state;
  bool error;
  const uint8_t *data;
  uint64_t length;
  uint64_t sent;
} response;

// The next response from the ring, once the one before is through and its time has come.
void take_response() {
  const RecordHeader *head = next_record(shared.media);
  if (!head || head->time_ns > shared.cycle) return;
  auto *record = reinterpret_cast<const MediaRecord *>(head);
  auto *data = reinterpret_cast<const uint8_t *>(record->pointer);
  response = {State::kWaiting, record->op != 0, data, record->length, 0};
  drop_record(shared.media);
}

MediaRecord media_record(RecordKind kind) {
  MediaRecord record = {};
  record.head.kind = kind;
  return record;
}

// All data of the write are there, or no more will come.
void publish_written() {
  MediaRecord record = media_record(kMediaWrite);
  kept.push_back(std::move(written.data));
  if (kept.size() > kKeptWrites) kept.pop_front();
  record.pointer = reinterpret_cast<uint64_t>(kept.back().data());
  record.length = kept.back().size();
  written = {};
  observe_media(record);
}

}  // namespace

void reset_block_media() {
  response = {};
  written = {};
  while (next_record(shared.media)) drop_record(shared.media);
}

}  // namespace harness

using namespace harness;

extern "C" {

void harness_block_request(int op, long long sector, int count) {
  MediaRecord record = media_record(kMediaRequest);
  record.op = op;
  record.sector = sector;
  record.count = count;
  observe_media(record);
  bool overrun = written.overrun;
  written = {};
  written.overrun = overrun;
  if (op == kWrite) written.announced = kSector * static_cast<uint32_t>(count);
}

void harness_block_write_beat(const svBitVecVal *data, unsigned char last) {
  if (written.overrun || !written.announced) {
    if (!written.overrun) report_fault(kBlkWdata, kNotAsked, 0, 0);
    written.overrun = !last;
    return;
  }
  auto *bytes = reinterpret_cast<const uint8_t *>(data);
  uint64_t before = written.came;
  written.came += shared.data_bytes;
  ++written.beats;
  if (written.came <= kMostData) {
    written.data.insert(written.data.end(), bytes, bytes + shared.data_bytes);
  } else if (before <= kMostData) {
    report_fault(kBlkWdata, kTooMuch, 0, kMostData >> 20);
  }
  bool overrun = !last && written.came >= written.announced;
  if (!last && !overrun) return;
  if (overrun) report_fault(kBlkWdata, kLastMissing, written.beats, written.beats);
  publish_written();
  written.overrun = overrun;
}

// A response may go onto the pins in this clock.
unsigned char harness_block_response_pending() {
  if (response.state == State::kIdle && shared.media.read != shared.media.written) take_response();
  return response.state == State::kWaiting && !stalled(kBlkRsp);
}

unsigned char harness_block_response() {
  response.state = State::kOnPins;
  return response.error;
}

// The response was accepted on the pins; a read's data may follow.
void harness_block_response_taken() {
  MediaRecord record = media_record(kMediaResponse);
  record.op = response.error;
  record.pointer = reinterpret_cast<uint64_t>(response.data);
  record.length = response.length;
  observe_media(record);
  response.state = response.length ? State::kData : State::kIdle;
}

unsigned char harness_block_read_pending() {
  return response.state == State::kData && !stalled(kBlkRdata);
}

void harness_block_read_beat(svBitVecVal *data, unsigned char *last) {
  uint64_t left = response.length - response.sent;
  uint64_t bytes = left < shared.data_bytes ? left : shared.data_bytes;
  std::memset(data, 0, 64);
  std::memcpy(data, response.data + response.sent, bytes);
  response.sent += bytes;
  *last = response.sent >= response.length;
  if (*last) response.state = State::kIdle;
}

}  // extern "C"
