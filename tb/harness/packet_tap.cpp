// Packets as the pins carry them, all four channels in one order: that of their first beats.
//
// A packet is published when its last beat has passed and all that began before it are published. What happens on the
// disk's port takes its place in the same order: the function may act on the first beats of a packet.
//
// A packet that goes on beyond its length is published where it should have ended; one that stops half way is given up.
// Either is reported, and nothing behind it is held back for ever.
#include <cstring>
#include <deque>

#include "shared_memory.h"
#include "svdpi.h"

namespace harness {
namespace {

constexpr uint32_t kLastMisplaced = 8;
constexpr uint32_t kLastMissing = 9;
constexpr uint32_t kNeverEnds = 10;
constexpr uint64_t kPatience = 100'000;  // clocks without a beat until an open packet is given up
constexpr size_t kMostHeldBack = 2048;   // packets that may wait for one that is open
constexpr uint32_t kMessageWindow = 0xFEE;  // address bits 31:20 of an interrupt message

struct Assembly {
  uint64_t time_ns;
  uint64_t held_ns;
  uint64_t waited_ns;
  uint64_t header_low;
  uint64_t header_high;
  uint64_t last_beat;  // clock
  uint32_t stream;
  uint32_t beats;
  uint32_t received;
  bool complete;
  bool is_media;
  MediaRecord media;
  uint8_t payload[kMaxPayload];
};

std::deque<Assembly> in_order;
Assembly *open_packet[4];
bool overrun[4];  // the stream is within a packet that is through with already: its beats up to last are lost

uint32_t dw0(const Assembly &packet) { return packet.header_high >> 32; }

uint32_t announced_bytes(const Assembly &packet) {
  if (!(dw0(packet) & 1u << 30)) return 0;
  uint32_t length = dw0(packet) & 0x3FF;
  return 4 * (length ? length : 1024);
}

// What Python has to answer at once; the rest waits until it comes for something else.
bool urgent(const Assembly &packet) {
  if (packet.stream == kTxCpl) return true;
  if (packet.stream != kTxReq) return false;
  uint32_t format_and_type = dw0(packet) >> 24;
  if (format_and_type == 0x40) return packet.header_low >> 52 == kMessageWindow;
  if (format_and_type == 0x60) return (packet.header_low & 0xFFFFFFFF) >> 20 == kMessageWindow;
  return true;
}

uint32_t announced_beats(const Assembly &packet) {
  uint32_t bytes = announced_bytes(packet);
  return bytes ? (bytes + shared.data_bytes - 1) / shared.data_bytes : 1;
}

void check_last(const Assembly &packet) {
  uint32_t beats = announced_beats(packet);
  if (packet.beats != beats) report_fault(packet.stream, kLastMisplaced, beats, packet.beats);
}

void publish(const Assembly &packet) {
  uint32_t announced = announced_bytes(packet);
  uint32_t bytes = packet.received < announced ? packet.received : announced;
  auto *record = static_cast<PacketRecord *>(new_record(kPacket, sizeof(PacketRecord) + bytes));
  record->head.time_ns = packet.time_ns;
  record->stream = packet.stream;
  record->payload_bytes = bytes;
  record->header_low = packet.header_low;
  record->header_high = packet.header_high;
  record->held_ns = packet.held_ns;
  record->waited_ns = packet.waited_ns;
  std::memcpy(record + 1, packet.payload, bytes);
  if (shared.eager || urgent(packet)) request_wake();
  check_last(packet);
}

void publish_media(const Assembly &event) {
  auto *record = static_cast<MediaRecord *>(new_record(event.media.head.kind, sizeof(MediaRecord)));
  RecordHeader head = record->head;
  *record = event.media;
  record->head = head;
  record->head.time_ns = event.time_ns;
  record->held_ns = event.held_ns;
  request_wake();
}

// The packet that holds all others back does not go on: report it and forget it.
void give_up_first() {
  const Assembly &first = in_order.front();
  report_fault(first.stream, kNeverEnds, announced_beats(first), first.beats);
  open_packet[first.stream] = nullptr;
  overrun[first.stream] = true;
  in_order.pop_front();
}

void publish_complete() {
  if (in_order.size() > kMostHeldBack && !in_order.front().complete) give_up_first();
  while (!in_order.empty() && in_order.front().complete) {
    const Assembly &first = in_order.front();
    if (first.is_media) {
      publish_media(first);
    } else {
      publish(first);
    }
    in_order.pop_front();
  }
  shared.unfinished = in_order.size();
}

Assembly &begin(uint32_t stream, const svBitVecVal *header) {
  Assembly &packet = in_order.emplace_back();
  packet.time_ns = shared.time_ns;
  packet.held_ns = shared.held_ns;
  packet.waited_ns = stream == kRxReq ? own_ns() - offered_ns() : 0;
  std::memcpy(&packet.header_low, header, 8);
  std::memcpy(&packet.header_high, header + 2, 8);
  packet.stream = stream;
  packet.beats = 0;
  packet.received = 0;
  packet.complete = false;
  packet.is_media = false;
  open_packet[stream] = &packet;
  if (stream == kRxReq || stream == kRxCpl) note_event(stream, packet.header_low, packet.header_high);
  return packet;
}

}  // namespace

void observe_media(const MediaRecord &record) {
  Assembly &event = in_order.emplace_back();
  event.time_ns = shared.time_ns;
  event.held_ns = shared.held_ns;
  event.complete = true;
  event.is_media = true;
  event.media = record;
  publish_complete();
}

void reset_tap() {
  in_order.clear();
  shared.unfinished = 0;
  for (auto &packet : open_packet) packet = nullptr;
  for (auto &stream : overrun) stream = false;
}

void check_tap() {
  if (in_order.empty() || in_order.front().complete) return;
  if (shared.cycle - in_order.front().last_beat < kPatience) return;
  give_up_first();
  publish_complete();
}

}  // namespace harness

using namespace harness;

extern "C" void harness_tap_beat(int stream, const svBitVecVal *header, const svBitVecVal *data,
                                 unsigned char last) {
  if (overrun[stream]) {
    overrun[stream] = !last;
    return;
  }
  Assembly &packet = open_packet[stream] ? *open_packet[stream] : begin(stream, header);
  uint32_t room = kMaxPayload - packet.received;
  uint32_t bytes = shared.data_bytes < room ? shared.data_bytes : room;
  std::memcpy(packet.payload + packet.received, data, bytes);
  packet.received += bytes;
  ++packet.beats;
  packet.last_beat = shared.cycle;
  if (!last && packet.beats < announced_beats(packet)) return;
  if (!last) {
    report_fault(stream, kLastMissing, packet.beats, packet.beats);
    overrun[stream] = true;
  }
  packet.complete = true;
  open_packet[stream] = nullptr;
  publish_complete();
}
