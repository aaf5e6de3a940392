// The disk's side of the block media port: requests and write data to Python, responses and read data from it.
//
// Data passes by pointer: Python keeps a response's bytes until the next one, write data stays until the next request.
#include <cstring>
#include <vector>

#include "shared_memory.h"
#include "svdpi.h"

namespace harness {
namespace {

std::vector<uint8_t> written;

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

}  // namespace

void reset_block_media() {
  response = {};
  written.clear();
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
  written.clear();
}

void harness_block_write_beat(const svBitVecVal *data, unsigned char last) {
  auto *bytes = reinterpret_cast<const uint8_t *>(data);
  written.insert(written.end(), bytes, bytes + shared.data_bytes);
  if (!last) return;
  MediaRecord record = media_record(kMediaWrite);
  record.pointer = reinterpret_cast<uint64_t>(written.data());
  record.length = written.size();
  observe_media(record);
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
