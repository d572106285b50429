#include "anybit/layout/warp_exchange.h"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>

#include "anybit/layout/conversion.h"
#include "anybit/layout/internal/factors.h"

namespace anybit::layout {
namespace {

using internal::Factor;
using internal::factors_of;

/// Words by the values of axes; an axis is a bit of a thread or local index, or an odd factor.
struct Axis {
  enum class Role : uint8_t {
    kSent,      // A local bit of `from` that becomes a bit of the thread.
    kRound,     // Which of the rounds of shuffles.
    kReceived,  // A thread bit of `from` that becomes a local bit.
    kKept,      // Local in both.
  };
  Role role = Role::kKept;
  size_t id = 0;  // Among those of its role.
  int64_t extent = 2;
};

/// What a bit of the thread index is: of `from`, the source; of `to`, the target.
struct ThreadBit {
  int64_t place = 1;
  Factor factor;
};

/// A thread bit of the source (a received one, or one over which `from` is replicated) beside a
/// thread bit of the target (a sent one, or one over which `to` is replicated): rounds flip it.
struct Pairing {
  int64_t source_place = 0;
  int64_t target_place = 0;
  std::optional<size_t> received;  // Into Planner::received_.
  std::optional<size_t> sent;      // Into Planner::sent_.
};

/// A factor that changes places, with its place in each index.
struct Move {
  Factor from, to;
};

class Planner {
 public:
  Planner(const RegisterLayout& from, const RegisterLayout& to, int64_t max_slots)
      : from_threads_(factors_of(from.thread_digits())),
        from_locals_(factors_of(from.local_digits())),
        to_threads_(factors_of(to.thread_digits())),
        to_locals_(factors_of(to.local_digits())),
        max_slots_(max_slots) {}

  Result<WarpExchange> run() {
    ANYBIT_TRY(sort_factors());
    ANYBIT_TRY(pair_thread_bits());
    choose_slots();
    make_inputs();
    send();
    shuffle();
    receive();
    make_outputs();
    drop_unused_steps();
    return std::move(plan_);
  }

 private:
  static const Factor* find(const std::vector<Factor>& factors, const Factor& element_bit) {
    for (const Factor& factor : factors) {
      if (factor.same_element_bit(element_bit)) return &factor;
    }
    return nullptr;
  }

  static Error stuck() {
    return {ErrorCode::kUnsupported,
            "factors whose extents are no powers of two change their places"};
  }
  static Error leaves() { return {ErrorCode::kUnsupported, "elements leave their warp"}; }

  /// Bits of the thread index, at powers of two; anything else must be alike in both layouts.
  Status sort_factors() {
    for (const Factor& factor : from_locals_) {
      if (const Factor* local = find(to_locals_, factor)) {
        kept_.push_back({factor, *local});
      } else if (const Factor* thread = find(to_threads_, factor); thread && factor.extent == 2) {
        sent_.push_back({factor, *thread});
      } else {
        return tl::make_unexpected(stuck());
      }
    }
    for (const auto* threads : {&from_threads_, &to_threads_}) {
      const std::vector<Factor>& others = threads == &from_threads_ ? to_threads_ : from_threads_;
      for (const Factor& factor : *threads) {
        const bool is_bit =
            factor.extent == 2 && std::has_single_bit(static_cast<uint64_t>(factor.place));
        if (!is_bit && std::ranges::find(others, factor) == others.end()) {
          return tl::make_unexpected(stuck());
        }
        if (is_bit && std::ranges::find(others, factor.place, &Factor::place) == others.end()) {
          return tl::make_unexpected(stuck());
        }
      }
    }
    return {};
  }

  Status pair_thread_bits() {
    std::vector<ThreadBit> sources, targets;
    for (const Factor& factor : from_threads_) {
      if (!std::has_single_bit(static_cast<uint64_t>(factor.place)) || factor.extent != 2) continue;
      const Factor* target = factor.is_replicated() ? nullptr : find(to_threads_, factor);
      if (target == nullptr) {
        if (!factor.is_replicated() && find(to_locals_, factor) == nullptr) {
          return tl::make_unexpected(stuck());
        }
        sources.push_back({factor.place, factor});
      } else {
        ANYBIT_TRY(move_lane_bit(factor.place, target->place));
      }
    }
    for (const Factor& factor : to_threads_) {
      if (!std::has_single_bit(static_cast<uint64_t>(factor.place)) || factor.extent != 2) continue;
      if (factor.is_replicated() || find(from_threads_, factor) == nullptr) {
        targets.push_back({factor.place, factor});
      }
    }
    if (sources.size() != targets.size()) return tl::make_unexpected(stuck());
    const auto same_place_first = [&](const ThreadBit& source) {
      const auto found = std::ranges::find(targets, source.place, &ThreadBit::place);
      return found == targets.end() ? targets.begin() : found;
    };
    std::ranges::stable_partition(sources, [&](const ThreadBit& source) {
      return std::ranges::find(targets, source.place, &ThreadBit::place) != targets.end();
    });
    for (const ThreadBit& source : sources) {
      const auto target = same_place_first(source);
      ANYBIT_TRY(pair(source, *target));
      targets.erase(target);
    }
    return {};
  }

  Status move_lane_bit(int64_t from_place, int64_t to_place) {
    if (from_place == to_place && from_place >= kWarpSize) return {};
    if (from_place >= kWarpSize || to_place >= kWarpSize) return tl::make_unexpected(leaves());
    plan_.lane_bits[static_cast<size_t>(std::countr_zero(static_cast<uint64_t>(from_place)))] =
        std::countr_zero(static_cast<uint64_t>(to_place));
    return {};
  }

  Status pair(const ThreadBit& source, const ThreadBit& target) {
    ANYBIT_TRY(move_lane_bit(source.place, target.place));
    Pairing pairing{source.place, target.place, std::nullopt, std::nullopt};
    if (!source.factor.is_replicated()) {
      if (source.place >= kWarpSize) return tl::make_unexpected(leaves());
      pairing.received = received_.size();
      received_.push_back({source.factor, *find(to_locals_, source.factor)});
    }
    for (size_t i = 0; i < sent_.size(); ++i) {
      if (sent_[i].to == target.factor) pairing.sent = i;
    }
    pairings_.push_back(pairing);
    return {};
  }

  /// Words take kept bits, those first that are low in both layouts.
  void choose_slots() {
    std::vector<Move> bits;
    for (const Move& move : kept_) {
      if (move.from.extent == 2) bits.push_back(move);
    }
    std::ranges::stable_sort(bits, {}, [](const Move& m) { return m.from.place + m.to.place; });
    for (const Move& move : bits) {
      if (plan_.slots * 2 > max_slots_) break;
      in_word_.push_back(move);
      plan_.slots *= 2;
    }
    std::ranges::stable_sort(in_word_, {}, [](const Move& m) { return m.from.place; });
    std::erase_if(kept_, [&](const Move& move) {
      return std::ranges::any_of(in_word_, [&](const Move& w) { return w.from == move.from; });
    });
  }

  /// Value `index` of each axis, row-major.
  std::vector<int64_t> values_at(int64_t index) const {
    std::vector<int64_t> values(axes_.size());
    for (size_t i = axes_.size(); i-- > 0;) {
      values[i] = index % axes_[i].extent;
      index /= axes_[i].extent;
    }
    return values;
  }

  const Move& move_of(const Axis& axis) const {
    if (axis.role == Axis::Role::kSent) return sent_[axis.id];
    return axis.role == Axis::Role::kReceived ? received_[axis.id] : kept_[axis.id];
  }

  /// The local places of word `index`, in `from` or `to`.
  void append_places(int64_t index, bool is_from, std::vector<int64_t>& places) const {
    const std::vector<int64_t> values = values_at(index);
    int64_t first = 0;
    for (size_t i = 0; i < axes_.size(); ++i) {
      const Move& move = move_of(axes_[i]);
      first += values[i] * (is_from ? move.from.place : move.to.place);
    }
    for (int64_t slot = 0; slot < plan_.slots; ++slot) {
      int64_t place = first;
      for (size_t i = 0; i < in_word_.size(); ++i) {
        place += (slot >> i & 1) * (is_from ? in_word_[i].from.place : in_word_[i].to.place);
      }
      places.push_back(place);
    }
  }

  void make_inputs() {
    int64_t count = 1;
    for (size_t i = 0; i < sent_.size(); ++i) axes_.push_back({Axis::Role::kSent, i, 2});
    for (size_t i = 0; i < kept_.size(); ++i) {
      axes_.push_back({Axis::Role::kKept, i, kept_[i].from.extent});
    }
    for (const Axis& axis : axes_) count *= axis.extent;
    for (int64_t word = 0; word < count; ++word) {
      append_places(word, true, plan_.inputs);
      words_.push_back(word);
    }
  }

  int64_t add(const ExchangeStep& step) {
    plan_.steps.push_back(step);
    return plan_.num_inputs() + static_cast<int64_t>(plan_.steps.size()) - 1;
  }

  /// A select, seen through operands that select by the same bit.
  int64_t select(int64_t a, int64_t b, int64_t place) {
    const auto through = [&](int64_t word, bool bit) {
      const int64_t step = word - plan_.num_inputs();
      if (step < 0) return word;
      const ExchangeStep& s = plan_.steps[static_cast<size_t>(step)];
      if (s.kind != ExchangeStep::Kind::kSelect || s.amount != place) return word;
      return bit ? s.b : s.a;
    };
    a = through(a, false);
    b = through(b, true);
    if (a == b) return a;
    return add({ExchangeStep::Kind::kSelect, a, b, place});
  }

  /// The words with axis `i` replaced by `axis`: make(word with value v of the axis) of the words
  /// along the old one.
  template <class Make>
  void replace_axis(size_t i, const Axis& axis, const Make& make) {
    int64_t inner = 1;
    for (size_t k = i + 1; k < axes_.size(); ++k) inner *= axes_[k].extent;
    const int64_t old_extent = axes_[i].extent;
    const int64_t outer = static_cast<int64_t>(words_.size()) / (inner * old_extent);
    std::vector<int64_t> next;
    for (int64_t o = 0; o < outer; ++o) {
      for (int64_t v = 0; v < axis.extent; ++v) {
        for (int64_t n = 0; n < inner; ++n) {
          std::vector<int64_t> along;
          for (int64_t old = 0; old < old_extent; ++old) {
            along.push_back(words_[static_cast<size_t>((o * old_extent + old) * inner + n)]);
          }
          next.push_back(make(along, v));
        }
      }
    }
    axes_[i] = axis;
    words_ = std::move(next);
  }

  size_t axis_at(Axis::Role role, size_t id) const {
    for (size_t i = 0; i < axes_.size(); ++i) {
      if (axes_[i].role == role && axes_[i].id == id) return i;
    }
    ANYBIT_CHECK(false);
  }

  /// Each lane chooses the words for its partner of each round.
  void send() {
    for (const Pairing& pairing : pairings_) {
      if (!pairing.sent) continue;
      const size_t axis = axis_at(Axis::Role::kSent, *pairing.sent);
      const int64_t place = pairing.source_place;
      if (pairing.received) {
        replace_axis(axis, {Axis::Role::kRound, *pairing.received, 2},
                     [&](const std::vector<int64_t>& along, int64_t round) {
                       return select(along[static_cast<size_t>(round)],
                                     along[static_cast<size_t>(1 - round)], place);
                     });
      } else {
        replace_axis(axis, {Axis::Role::kRound, received_.size(), 1},
                     [&](const std::vector<int64_t>& along, int64_t) {
                       return select(along[0], along[1], place);
                     });
      }
    }
    for (const Pairing& pairing : pairings_) {
      if (!pairing.received || pairing.sent) continue;
      axes_.insert(axes_.begin(), Axis{Axis::Role::kRound, received_.size(), 1});
      replace_axis(0, {Axis::Role::kRound, *pairing.received, 2},
                   [](const std::vector<int64_t>& along, int64_t) { return along[0]; });
    }
  }

  void shuffle() {
    std::map<std::pair<int64_t, int64_t>, int64_t> done;  // The same word from the same lane.
    for (size_t w = 0; w < words_.size(); ++w) {
      const std::vector<int64_t> values = values_at(static_cast<int64_t>(w));
      int64_t mask = 0;
      for (size_t i = 0; i < axes_.size(); ++i) {
        if (axes_[i].role != Axis::Role::kRound || values[i] == 0) continue;
        mask |= received_[axes_[i].id].from.place;
      }
      if (mask == 0 && plan_.keeps_lanes()) continue;
      const auto [found, is_new] = done.try_emplace({words_[w], mask}, 0);
      if (is_new) found->second = add({ExchangeStep::Kind::kShuffle, words_[w], 0, mask});
      words_[w] = found->second;
    }
  }

  /// Each lane puts what came in a round where it belongs.
  void receive() {
    for (const Pairing& pairing : pairings_) {
      if (!pairing.received) continue;
      replace_axis(axis_at(Axis::Role::kRound, *pairing.received),
                   {Axis::Role::kReceived, *pairing.received, 2},
                   [&](const std::vector<int64_t>& along, int64_t value) {
                     return select(along[static_cast<size_t>(value)],
                                   along[static_cast<size_t>(1 - value)], pairing.target_place);
                   });
    }
    std::erase_if(axes_, [](const Axis& axis) { return axis.extent == 1; });
  }

  void make_outputs() {
    for (size_t w = 0; w < words_.size(); ++w) {
      append_places(static_cast<int64_t>(w), false, plan_.outputs);
    }
    plan_.results = words_;
  }

  void drop_unused_steps() {
    const int64_t inputs = plan_.num_inputs();
    std::vector<int64_t> numbers(plan_.steps.size(), -1);
    std::vector<bool> used(plan_.steps.size(), false);
    const auto use = [&](int64_t word) {
      if (word >= inputs) used[static_cast<size_t>(word - inputs)] = true;
    };
    for (const int64_t word : plan_.results) use(word);
    for (size_t i = plan_.steps.size(); i-- > 0;) {
      if (!used[i]) continue;
      use(plan_.steps[i].a);
      if (plan_.steps[i].kind == ExchangeStep::Kind::kSelect) use(plan_.steps[i].b);
    }
    std::vector<ExchangeStep> kept;
    const auto renumber = [&](int64_t& word) {
      if (word >= inputs) word = numbers[static_cast<size_t>(word - inputs)];
    };
    for (size_t i = 0; i < plan_.steps.size(); ++i) {
      if (!used[i]) continue;
      numbers[i] = inputs + static_cast<int64_t>(kept.size());
      kept.push_back(plan_.steps[i]);
      renumber(kept.back().a);
      if (kept.back().kind == ExchangeStep::Kind::kSelect) renumber(kept.back().b);
    }
    plan_.steps = std::move(kept);
    for (int64_t& word : plan_.results) renumber(word);
  }

  const std::vector<Factor> from_threads_, from_locals_, to_threads_, to_locals_;
  const int64_t max_slots_;
  std::vector<Move> kept_, in_word_, sent_, received_;
  std::vector<Pairing> pairings_;
  std::vector<Axis> axes_;
  std::vector<int64_t> words_;  // By the values of the axes.
  WarpExchange plan_;
};

/// `layout` without the lowest `count` local factors.
RegisterLayout without_low_locals(const RegisterLayout& layout, size_t count) {
  std::vector<Factor> threads = factors_of(layout.thread_digits());
  std::vector<Factor> locals = factors_of(layout.local_digits());
  Dims shape = layout.shape();
  for (size_t i = 0; i < count; ++i) {
    const Factor gone = locals[i];
    shape[gone.dim] /= gone.extent;
    for (auto* factors : {&threads, &locals}) {
      for (Factor& factor : *factors) {
        if (factor.dim == gone.dim && factor.stride > gone.stride) factor.stride /= gone.extent;
      }
    }
  }
  locals.erase(locals.begin(), locals.begin() + static_cast<ptrdiff_t>(count));
  return RegisterLayout::from_digits(shape, internal::digits_of(threads),
                                     internal::digits_of(locals))
      .value();
}

}  // namespace

int64_t WarpExchange::num_shuffles() const {
  return std::ranges::count(steps, ExchangeStep::Kind::kShuffle, &ExchangeStep::kind);
}

int64_t WarpExchange::source_lane(int64_t lane) const {
  int64_t source = 0;
  for (size_t i = 0; i < lane_bits.size(); ++i) source |= (lane >> lane_bits[i] & 1) << i;
  return source;
}

Result<WarpExchange> plan_warp_exchange(const RegisterLayout& from, const RegisterLayout& to,
                                        int64_t max_slots) {
  if (from.shape() != to.shape() || from.num_threads() != to.num_threads() || max_slots < 1) {
    return fail(ErrorCode::kInvalidArgument,
                "cannot exchange {} in {} threads for {} in {} threads, {} a word",
                to_string(from.shape()), from.num_threads(), to_string(to.shape()),
                to.num_threads(), max_slots);
  }
  return Planner(from, to, max_slots).run();
}

UnitLayouts common_units(const RegisterLayout& from, const RegisterLayout& to, int64_t max_unit) {
  const std::vector<Factor> a = factors_of(from.local_digits());
  const std::vector<Factor> b = factors_of(to.local_digits());
  size_t count = 0;
  int64_t unit = 1;
  while (count < a.size() && count < b.size() && a[count] == b[count] && a[count].extent == 2 &&
         unit * 2 <= max_unit) {
    unit *= 2;
    ++count;
  }
  return {unit, without_low_locals(from, count), without_low_locals(to, count)};
}

}  // namespace anybit::layout
