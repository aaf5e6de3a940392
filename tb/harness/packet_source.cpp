// Packets from Python to the pins: rx_req and rx_cpl. Each may carry the clock before which it must not start.
#include <cstring>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "shared_memory.h"
#include "svdpi.h"

namespace harness {
namespace {

struct Packet {
  uint64_t header_low;
  uint64_t header_high;
  std::vector<uint8_t> payload;
};

// One channel that the harness drives. The packet with the earliest start goes first, equals in the order of arrival.
class PacketSource {
 public:
  PacketSource(Ring &ring, Stream stream) : ring_(ring), stream_(stream) {}

  uint64_t offered() {
    if (offered_.empty()) return own_ns();
    uint64_t when = offered_.front();
    offered_.pop_front();
    return when;
  }

  bool pending() {
    absorb();
    if (!sending_ && (waiting_.empty() || waiting_.begin()->first.first > shared.cycle)) return false;
    return !stalled(stream_);
  }

  void beat(svBitVecVal *header, svBitVecVal *data, unsigned char *last) {
    if (!sending_) start();
    std::memcpy(header, &current_.header_low, 8);
    std::memcpy(header + 2, &current_.header_high, 8);
    size_t left = current_.payload.size() - sent_;
    size_t bytes = left < shared.data_bytes ? left : shared.data_bytes;
    std::memset(data, 0, 64);
    if (bytes) std::memcpy(data, current_.payload.data() + sent_, bytes);
    sent_ += bytes;
    *last = sent_ >= current_.payload.size();
    sending_ = !*last;
  }

  void reset() {
    absorb();
    waiting_.clear();
    offered_.clear();
    sending_ = false;
  }

 private:
  void absorb() {
    if (ring_.read == ring_.written) return;
    while (const RecordHeader *head = next_record(ring_)) {
      auto *record = reinterpret_cast<const PacketRecord *>(head);
      auto *bytes = reinterpret_cast<const uint8_t *>(record + 1);
      Packet packet{record->header_low, record->header_high, {bytes, bytes + record->payload_bytes}};
      waiting_.emplace(std::make_pair(head->time_ns, arrivals_++), std::move(packet));
      drop_record(ring_);
    }
  }

  void start() {
    current_ = std::move(waiting_.begin()->second);
    waiting_.erase(waiting_.begin());
    sent_ = 0;
    sending_ = true;
    if (stream_ == kRxReq) offered_.push_back(own_ns());
  }

  Ring &ring_;
  Stream stream_;
  std::map<std::pair<uint64_t, uint64_t>, Packet> waiting_;
  std::deque<uint64_t> offered_;  // when each request that is on the pins was put there
  uint64_t arrivals_ = 0;
  Packet current_;
  size_t sent_ = 0;
  bool sending_ = false;
};

PacketSource requests(shared.rx_req, kRxReq);
PacketSource completions(shared.rx_cpl, kRxCpl);

PacketSource &source(int stream) { return stream == kRxReq ? requests : completions; }

}  // namespace

uint64_t offered_ns() { return requests.offered(); }

void reset_sources() {
  requests.reset();
  completions.reset();
}

}  // namespace harness

extern "C" {

unsigned char harness_source_pending(int stream) { return harness::source(stream).pending(); }

void harness_source_beat(int stream, svBitVecVal *header, svBitVecVal *data, unsigned char *last) {
  harness::source(stream).beat(header, data, last);
}

}  // extern "C"
