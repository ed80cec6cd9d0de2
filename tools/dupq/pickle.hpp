// Reads the pickle of a PyTorch state dict: names and where each tensor's numbers lie.
//
// A pickle is a program for a small machine with a stack, and the whole language can call anything. Here only those
// instructions exist that a state dict needs, and the things that it names are the few listed below; nothing is ever
// called. Work and memory are bounded by the pickle's length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "json.hpp"

namespace dupq_tool::pickle {

/// A type of numbers: PyTorch's name of its storages, safetensors' name, bytes.
struct number_type {
  std::string_view storage, name;
  std::uint64_t bytes;
};
inline constexpr number_type number_types[] = {
    {"FloatStorage", "F32", 4}, {"HalfStorage", "F16", 2}, {"BFloat16Storage", "BF16", 2}, {"DoubleStorage", "F64", 8},
    {"LongStorage", "I64", 8},  {"IntStorage", "I32", 4},  {"ShortStorage", "I16", 2},     {"CharStorage", "I8", 1},
    {"ByteStorage", "U8", 1},   {"BoolStorage", "BOOL", 1}};

enum class kind : std::uint8_t {
  none,
  boolean,
  integer,
  real,
  text,
  tuple,    ///< `items`
  list,     ///< `items`
  dict,     ///< `items`: keys and values in turn
  type,     ///< `number` is an index into number_types
  call,     ///< something that makes an object; `number` is one of `callable`
  storage,  ///< `number`: its type; `text`: its name in the archive; `items[0]`: how many numbers
  tensor,   ///< `items`: storage, first number, extents, strides
  mark,
};

enum callable : std::int64_t { ordered_dict, rebuild_tensor, rebuild_parameter };

struct value {
  pickle::kind kind = kind::none;
  std::int64_t number = 0;
  std::string_view text{};
  std::vector<value>* items = nullptr;
};

/// Runs a pickle. The values that it gives live as long as the machine.
class machine {
 public:
  /// Failures name `source` and the place in the pickle.
  machine(std::span<const std::byte> bytes, std::string source) : bytes_(bytes), source_(std::move(source)) {}

  /// What the pickle holds.
  value run() {
    for (;;) {
      begin_ = at_;
      const auto code = static_cast<unsigned char>(take(1)[0]);
      if (code == '.') {
        if (stack_.size() != 1) fail("ends with " + std::to_string(stack_.size()) + " values, one is expected");
        return stack_[0];
      }
      step(code);
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw failure(source_ + ": byte " + std::to_string(begin_) + ": " + what);
  }

  std::span<const std::byte> take(std::uint64_t n) {
    if (n > bytes_.size() - at_) fail("the pickle ends too early");
    const auto out = bytes_.subspan(at_, static_cast<std::size_t>(n));
    at_ += static_cast<std::size_t>(n);
    return out;
  }
  template <class T>
  T number() {
    T v;
    std::memcpy(&v, take(sizeof v).data(), sizeof v);
    return v;
  }
  std::string_view text(std::uint64_t n) {
    const auto bytes = take(n);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string_view line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + at_, bytes_.size() - at_);
    const std::size_t n = rest.find('\n');
    if (n == rest.npos) fail("the pickle ends too early");
    at_ += n + 1;
    return rest.substr(0, n);
  }

  void push(value v) { stack_.push_back(v); }
  void push(kind k, std::int64_t n, std::string_view t = {}) { push({k, n, t, nullptr}); }
  value make(kind k, std::vector<value> items = {}, std::int64_t n = 0, std::string_view t = {}) {
    return {k, n, t, &made_.emplace_back(std::move(items))};
  }
  value pop() {
    if (stack_.empty() || stack_.back().kind == kind::mark) fail("takes a value from an empty stack");
    const value v = stack_.back();
    stack_.pop_back();
    return v;
  }
  value& top(kind k, const char* what) {
    if (stack_.empty() || stack_.back().kind != k) fail(std::string(what) + " is expected");
    return stack_.back();
  }
  /// What was pushed since the last mark.
  std::vector<value> pop_marked() {
    std::size_t first = stack_.size();
    while (first != 0 && stack_[first - 1].kind != kind::mark) --first;
    if (first == 0) fail("there is no mark");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(first);
    std::vector<value> out(begin, stack_.end());
    stack_.erase(begin - 1, stack_.end());
    return out;
  }
  void push_tuple(std::size_t n) {
    std::vector<value> items(n);
    for (std::size_t i = n; i-- != 0;) items[i] = pop();
    push(make(kind::tuple, std::move(items)));
  }
  void keep(std::uint32_t name) {
    if (stack_.empty() || stack_.back().kind == kind::mark) fail("there is nothing to remember");
    memo_.insert_or_assign(name, stack_.back());
  }
  void recall(std::uint32_t name) {
    const auto found = memo_.find(name);
    if (found == memo_.end()) fail("recalls what was never remembered");
    push(found->second);
  }

  void step(unsigned char code) {
    switch (code) {
      case 0x80:  // PROTO
        if (const auto version = number<std::uint8_t>(); version > 5)
          fail("protocol " + std::to_string(version) + " is not known");
        return;
      case 0x95: (void)number<std::uint64_t>(); return;  // FRAME
      case 'N': return push(kind::none, 0);
      case 0x88: return push(kind::boolean, 1);
      case 0x89: return push(kind::boolean, 0);
      case 'J': return push(kind::integer, number<std::int32_t>());
      case 'K': return push(kind::integer, number<std::uint8_t>());
      case 'M': return push(kind::integer, number<std::uint16_t>());
      case 0x8A: return push_long(number<std::uint8_t>());
      case 'G': (void)take(8); return push(kind::real, 0);
      case 'X': return push(kind::text, 0, text(number<std::uint32_t>()));
      case 0x8C: return push(kind::text, 0, text(number<std::uint8_t>()));
      case 'U': return push(kind::text, 0, text(number<std::uint8_t>()));  // written by Python 2
      case '(': return push(kind::mark, 0);
      case ')': return push(make(kind::tuple));
      case 0x85: return push_tuple(1);
      case 0x86: return push_tuple(2);
      case 0x87: return push_tuple(3);
      case 't': return push(make(kind::tuple, pop_marked()));
      case ']': return push(make(kind::list));
      case '}': return push(make(kind::dict));
      case 'a': return append({pop()});
      case 'e': return append(pop_marked());
      case 's': {
        const value v = pop(), k = pop();
        return set({k, v});
      }
      case 'u': return set(pop_marked());
      case 'q': return keep(number<std::uint8_t>());
      case 'r': return keep(number<std::uint32_t>());
      case 0x94: return keep(static_cast<std::uint32_t>(memo_.size()));  // MEMOIZE
      case 'h': return recall(number<std::uint8_t>());
      case 'j': return recall(number<std::uint32_t>());
      case 'c': {
        const std::string_view module = line();
        return push_global(module, line());
      }
      case 0x93: {  // STACK_GLOBAL
        const value name = pop(), module = pop();
        if (name.kind != kind::text || module.kind != kind::text) fail("a global without a name");
        return push_global(module.text, name.text);
      }
      case 'Q': return push_storage(pop());
      case 'R': {
        const value arguments = pop(), what = pop();
        return push_made(what, arguments);
      }
      case 'b': {  // an OrderedDict's own attributes, of which PyTorch's _metadata is one: no tensor is in them
        (void)pop();
        (void)top(kind::dict, "a dictionary");
        return;
      }
      default: fail("instruction " + name_of(code) + " is in no state dict, which is all that is read");
    }
  }

  static std::string name_of(unsigned char code) {
    constexpr char digits[] = "0123456789abcdef";
    std::string out = std::string("0x") + digits[code >> 4] + digits[code & 15];
    return code > ' ' && code < 0x7F ? out + " '" + static_cast<char>(code) + "'" : out;
  }

  void push_long(std::uint8_t size) {
    if (size > 8) fail("an integer of more than 64 bits");
    std::uint64_t bits = 0;
    const auto bytes = take(size);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bits |= std::uint64_t{std::to_integer<unsigned>(bytes[i])} << (8 * i);
    if (size != 0 && size < 8 && (bits >> (8 * size - 1)) != 0) bits |= ~std::uint64_t{0} << (8 * size);  // the sign
    push(kind::integer, static_cast<std::int64_t>(bits));
  }

  void append(const std::vector<value>& items) {
    value& to = top(kind::list, "a list");
    to.items->insert(to.items->end(), items.begin(), items.end());
  }
  void set(const std::vector<value>& items) {
    if (items.size() % 2 != 0) fail("a key without a value");
    value& to = top(kind::dict, "a dictionary");
    to.items->insert(to.items->end(), items.begin(), items.end());
  }

  void push_global(std::string_view module, std::string_view name) {
    if (module == "torch")
      for (std::size_t i = 0; i < std::size(number_types); ++i)
        if (number_types[i].storage == name) return push(kind::type, static_cast<std::int64_t>(i));
    if (module == "collections" && name == "OrderedDict") return push(kind::call, ordered_dict);
    if (module == "torch._utils" && name == "_rebuild_tensor_v2") return push(kind::call, rebuild_tensor);
    if (module == "torch._utils" && name == "_rebuild_parameter") return push(kind::call, rebuild_parameter);
    fail("global " + json::quote(std::string(module) + "." + std::string(name)) +
         " is in no state dict, which is all that is read");
  }

  /// ("storage", type, name, device, how many numbers)
  void push_storage(const value& id) {
    if (id.kind != kind::tuple || id.items->size() < 5) fail("a storage's description is expected");
    const std::vector<value>& of = *id.items;
    if (of[0].kind != kind::text || of[0].text != "storage" || of[1].kind != kind::type || of[2].kind != kind::text ||
        of[4].kind != kind::integer || of[4].number < 0)
      fail("a storage's description is expected");
    push(make(kind::storage, {of[4]}, of[1].number, of[2].text));
  }

  void push_made(const value& what, const value& arguments) {
    if (what.kind != kind::call || arguments.kind != kind::tuple) fail("a call is expected");
    const std::vector<value>& given = *arguments.items;
    switch (what.number) {
      case ordered_dict:
        if (!given.empty()) fail("an OrderedDict made of something");
        return push(make(kind::dict));
      case rebuild_tensor: {
        if (given.size() < 4 || given[0].kind != kind::storage || given[1].kind != kind::integer ||
            given[2].kind != kind::tuple || given[3].kind != kind::tuple)
          fail("a tensor's storage, offset, size and stride are expected");
        return push(make(kind::tensor, {given[0], given[1], given[2], given[3]}));
      }
      default:  // a parameter is its tensor
        if (given.empty() || given[0].kind != kind::tensor) fail("a parameter's tensor is expected");
        return push(given[0]);
    }
  }

  std::span<const std::byte> bytes_;
  std::string source_;
  std::size_t at_ = 0, begin_ = 0;
  std::vector<value> stack_;
  std::unordered_map<std::uint32_t, value> memo_;
  std::deque<std::vector<value>> made_;  ///< all lists: they may hold each other, so nobody owns another
};

}  // namespace dupq_tool::pickle
