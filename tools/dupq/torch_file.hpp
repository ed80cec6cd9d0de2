// Reads pytorch_model.bin: a ZIP archive (PyTorch 1.6 and later) of a pickle, which says what there is, and of an entry
// for each storage of numbers.
//
// The pickle is read as data and never run (pickle.hpp). As in PyTorch, the archive's checksums are not looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "failure.hpp"
#include "json.hpp"
#include "pickle.hpp"
#include "safetensors.hpp"
#include "zip_archive.hpp"

namespace dupq_tool {

/// The tensors of a file; they view its bytes, which must outlive it.
class torch_file {
 public:
  /// Failures name `source`, and the tensor, the entry or the place in the pickle.
  torch_file(std::span<const std::byte> bytes, std::string source)
      : source_(std::make_unique<const std::string>(std::move(source))), room_(bytes.size()) {
    refuse_others(bytes);
    const zip_archive archive(bytes, *source_);
    const std::string root = root_of(archive);
    if (const auto order = archive.find(root + "byteorder"); order && text_of(*order) != "little")
      fail("was written by a big-endian machine: load it with PyTorch and save it again, as safetensors");
    pickle::machine machine(*archive.find(root + "data.pkl"), *source_ + ": data.pkl");
    const pickle::value all = machine.run();
    if (all.kind != pickle::kind::dict) fail("data.pkl: a dictionary of tensors is expected");
    for (std::size_t i = 0; i + 1 < all.items->size(); i += 2) add((*all.items)[i], (*all.items)[i + 1], archive, root);
    for (std::size_t i = 0; i < tensors_.size(); ++i)
      if (!by_name_.emplace(tensors_[i].name, i).second) fail(tensors_[i].name, "is there twice");
  }

  /// In the order of the pickle.
  const std::vector<safetensors::tensor>& tensors() const noexcept { return tensors_; }
  const std::string& source() const noexcept { return *source_; }
  const safetensors::tensor* find(std::string_view name) const noexcept {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &tensors_[found->second];
  }

 private:
  using value = pickle::value;
  using kind = pickle::kind;

  [[noreturn]] void fail(const std::string& what) const { throw failure(*source_ + ": " + what); }
  [[noreturn]] void fail(std::string_view name, const std::string& what) const {
    fail("tensor " + json::quote(name) + ": " + what);
  }
  static std::string_view text_of(std::span<const std::byte> bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void refuse_others(std::span<const std::byte> bytes) const {
    if (zip_archive::is_one(bytes)) return;
    const std::string_view text = text_of(bytes);
    constexpr std::string_view magic("\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19", 12);
    const bool pickled = text.size() > 2 && text[0] == '\x80' && text.substr(2).starts_with(magic);
    const bool tar = text.size() > 262 && text.substr(257).starts_with("ustar");
    if (pickled || tar)
      fail("is of the format before PyTorch 1.6: load it with PyTorch and save it again, as safetensors");
    fail("is no file that torch.save writes");
  }

  /// All entries stand in one folder, whose name is the file's when it was written.
  std::string root_of(const zip_archive& archive) const {
    std::optional<std::string> root;
    bool script = false;
    archive.for_each_name([&](std::string_view name) {
      const std::size_t slash = name.find('/');
      const std::string_view rest = slash == name.npos ? name : name.substr(slash + 1);
      script = script || rest == "constants.pkl" || rest.starts_with("code/");
      if (rest == "data.pkl") root = std::string(name.substr(0, name.size() - rest.size()));
    });
    if (script) fail("is a TorchScript program and no state dict: save the model as safetensors");
    if (!root) fail("has no data.pkl: it is no file that torch.save writes");
    return *root;
  }

  void add(const value& key, const value& what, const zip_archive& archive, const std::string& root) {
    if (key.kind != kind::text) fail("data.pkl: a tensor's name is expected");
    if (what.kind != kind::tensor) fail("data.pkl: " + json::quote(key.text) + " is no tensor");
    const value &storage = (*what.items)[0], &offset = (*what.items)[1];
    const std::vector<value>&extents = *(*what.items)[2].items, &strides = *(*what.items)[3].items;
    const pickle::number_type& type = pickle::number_types[static_cast<std::size_t>(storage.number)];
    safetensors::tensor t;
    t.name = key.text;
    t.type = type.name;
    t.source = source_.get();

    const auto bytes = archive.find(root + "data/" + std::string(storage.text));
    if (!bytes) fail(t.name, "the archive has no data/" + std::string(storage.text));
    const auto numbers = static_cast<std::uint64_t>((*storage.items)[0].number);
    if (bytes->size() % type.bytes != 0 || bytes->size() / type.bytes != numbers)
      fail(t.name, "its storage has " + std::to_string(bytes->size()) + " bytes, not " + std::to_string(numbers) +
                       " numbers of " + std::to_string(type.bytes));
    if (strides.size() != extents.size()) fail(t.name, "has not as many strides as dimensions");
    if (offset.number < 0) fail(t.name, "begins before its storage");

    // The last number that it has must lie in its storage, and it must not have more numbers than that.
    const std::uint64_t first = static_cast<std::uint64_t>(offset.number);
    std::vector<layout> axes;
    bool outside = first > numbers;
    for (std::size_t i = 0; i < extents.size(); ++i) {
      if (extents[i].kind != kind::integer || strides[i].kind != kind::integer || extents[i].number < 0 ||
          strides[i].number < 0)
        fail(t.name, "its size and stride must be whole numbers");
      axes.push_back({static_cast<std::uint64_t>(extents[i].number), static_cast<std::uint64_t>(strides[i].number)});
      if (i < 4) t.shape.first[i] = axes[i].extent;
      if (axes[i].extent == 0) t.elements = 0;
    }
    t.shape.count = axes.size();
    std::uint64_t last = first;
    for (const layout& a : axes) {
      if (outside || t.elements == 0) break;
      outside = t.elements > numbers / a.extent || (a.extent > 1 && a.stride > numbers / (a.extent - 1));
      t.elements *= a.extent;
      last += a.stride * (a.extent - 1);
    }
    if (outside || (t.elements != 0 && last >= numbers)) fail(t.name, "lies outside its storage");
    t.bytes = place(t, *bytes, first, axes, type.bytes);
    tensors_.push_back(t);
  }

  struct layout {
    std::uint64_t extent, stride;
  };

  /// The tensor's bytes, row by row: where they lie, or copied where they lie otherwise (a matrix that was transposed).
  std::span<const std::byte> place(const safetensors::tensor& t, std::span<const std::byte> storage,
                                   std::uint64_t first, const std::vector<layout>& axes, std::uint64_t bytes) {
    if (t.elements == 0) return {};
    const std::uint64_t size = t.elements * bytes;
    bool in_order = true;
    std::uint64_t inner = 1;
    for (std::size_t i = axes.size(); i-- != 0;) {
      in_order = in_order && (axes[i].extent == 1 || axes[i].stride == inner);
      inner *= axes[i].extent;
    }
    if (in_order) return storage.subspan(static_cast<std::size_t>(first * bytes), static_cast<std::size_t>(size));
    if (size > room_) fail(t.name, "more numbers lie out of order than the file has");
    room_ -= size;
    std::vector<std::byte>& copy = copies_.emplace_back(static_cast<std::size_t>(size));
    std::vector<std::uint64_t> index(axes.size());
    std::uint64_t from = first;
    for (std::uint64_t i = 0; i < t.elements; ++i) {
      std::memcpy(copy.data() + i * bytes, storage.data() + from * bytes, static_cast<std::size_t>(bytes));
      for (std::size_t d = axes.size(); d-- != 0;) {
        from += axes[d].stride;
        if (++index[d] != axes[d].extent) break;
        from -= axes[d].stride * axes[d].extent;
        index[d] = 0;
      }
    }
    return copy;
  }

  std::unique_ptr<const std::string> source_;  // tensors point to it
  std::vector<safetensors::tensor> tensors_;
  std::unordered_map<std::string_view, std::size_t> by_name_;
  std::deque<std::vector<std::byte>> copies_;
  std::uint64_t room_;  ///< bytes that copies may still take: as many as the file has
};

}  // namespace dupq_tool
