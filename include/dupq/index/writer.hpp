// Makes and changes an index on disk.
#pragma once

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <utility>

#include "../core/error.hpp"
#include "../core/heap_list.hpp"
#include "../core/os.hpp"
#include "../core/texts.hpp"
#include "../model.hpp"
#include "commit.hpp"
#include "segment_writer.hpp"
#include "state.hpp"

namespace dupq::inline DUPQ_ABI {

/// The only writer of an index for as long as it lives. Changes are on the disk beside the index, where nobody sees
/// them, until `commit` makes them part of it, all at once: whatever ends the program before, the index stays as it
/// was, and the next writer removes what is left of them. A call that fails changes nothing. Ids are strings that are
/// not empty and hold no control characters; each text has one of its own.
class index_writer {
 public:
  /// A new index in a folder that is not there or empty. It is there with the first commit. Errors: exists_already,
  /// in_use, cannot_write, out_of_memory.
  static result<index_writer> create(std::string_view folder, const index_model& model) noexcept {
    using namespace index_detail;
    index_writer w{file_path(folder)};
    const file_path& path = w.state_.folder;
    if (!path.whole()) return error(errc::cannot_write).in(folder);
    if (model.dim == 0 || model.dim > most_dim) return error(errc::bad_limit, "dim", most_dim, model.dim);
    const bool made = os::make_folder(path.text());
    if (!made && errno != EEXIST) return os::file_error(errc::cannot_write, folder, errno);
    if (!made && !only_leftovers(folder)) return error(errc::exists_already).in(folder);  // before a lock is made in it
    auto lock = writer_lock::take(folder);
    if (!lock) return lock.error();
    w.lock_ = std::move(*lock);
    w.made_folder_ = made;
    w.made_index_ = only_leftovers(folder);
    if (!w.made_index_) return error(errc::exists_already).in(folder);
    sweep(folder, {});
    if (!w.names_.append(model.name.data(), model.name.size()) ||
        !w.names_.append(model.digest.data(), model.digest.size()))
      return error(errc::out_of_memory, "name").in(folder);
    const std::string_view all(w.names_.data(), w.names_.size());
    w.state_.head.model = model;
    w.state_.head.model.name = first_of(all, model.name.size());
    w.state_.head.model.digest = after(all, model.name.size());
    w.changed_ = true;
    return result<index_writer>(std::move(w));
  }
  /// For a bi-encoder's vectors; `name` says where its file is. Errors: also wrong_kind.
  static result<index_writer> create(std::string_view folder, const dupq::model& m, std::string_view name) noexcept {
    if (m.config().kind == model_kind::cross_encoder)
      return error(errc::wrong_kind, dupq::name(m.config().kind)).in(name);
    const hex_digest digest = index_digest(m);
    return create(folder, {name, digest, m.dim(), m.config().similarity});
  }

  /// An index that is there. Errors: in_use, cannot_write, and all that is wrong with a file.
  static result<index_writer> open(std::string_view folder) noexcept {
    using namespace index_detail;
    index_writer w{file_path(folder)};
    // Before a lock is made in a folder that is no index.
    if (const auto there = mapped_file::read(file_path(folder, manifest_name).text()); !there) return there.error();
    auto lock = writer_lock::take(folder);
    if (!lock) return lock.error();
    if (const auto done = w.state_.open(); !done) return done.error();
    if (const auto done = w.note_committed(); !done) return done.error();
    w.lock_ = std::move(*lock);
    sweep(folder, w.committed_.items());
    return result<index_writer>(std::move(w));
  }

  index_writer(index_writer&&) noexcept = default;
  index_writer& operator=(index_writer&&) = delete;
  ~index_writer() {
    if (!lock_.held()) return;
    using namespace index_detail;
    state_.segments.clear();  // a mapped file cannot be removed everywhere
    if (staged_ || made_index_) sweep(state_.folder, committed_.items());
    if (!made_index_) return;
    lock_.release();
    os::remove(file_path(state_.folder, lock_name).text());
    if (made_folder_) os::remove_folder(state_.folder.text());
  }

  std::size_t size() const noexcept { return state_.size(); }  ///< texts that are not removed
  std::size_t segment_count() const noexcept { return state_.segments.size(); }
  const index_model& model() const noexcept { return state_.head.model; }
  /// Errors: wrong_model, with both names.
  result<void> check_model(const dupq::model& m, std::string_view name) const noexcept {
    return state_.check_model(m, name);
  }

  /// Adds texts with their vectors, [list.size()][dim]. Without ids a text's id is its number among all that were ever
  /// added, from 1 on. Errors: wrong_size; exists_already, bad_key with the id; cannot_write, out_of_memory, damaged.
  result<void> add(const texts& list, std::span<const float> vectors, const texts& ids = no_ids(),
                   const pack_options& options = {}) noexcept {
    using namespace index_detail;
    const std::size_t dim = model().dim;
    if (vectors.size() / dim != list.size() || vectors.size() % dim != 0)
      return error(errc::wrong_size, "vectors", std::uint64_t{list.size()} * dim, vectors.size());
    if (!ids.empty() && ids.size() != list.size()) return error(errc::wrong_size, "ids", list.size(), ids.size());
    if (list.empty()) return {};
    added_rows rows{list, ids, vectors.data(), dim, {}, {}};
    if (ids.empty() && !rows.number(state_.head.next_id)) return error(errc::out_of_memory, "ids").in(state_.folder);
    for (std::size_t i = 0; i < list.size(); ++i)
      if (const auto fresh = check_new(rows.id(i)); !fresh) return fresh;
    if (state_.segments.size() == most_segments)
      return error(errc::out_of_range, "segments", most_segments, most_segments + 1).in(state_.folder);
    const auto number = write(rows, options);
    if (!number) return number.error();
    if (const auto done = state_.add({*number, list.size(), 0, {}}); !done) return done;
    state_.head.next_id += list.size();
    changed_ = true;
    return {};
  }
  /// The same with the vectors that an encoder of the index's model makes of the texts. Errors: also its own.
  template <class Encoder>
  requires requires(Encoder& e, const texts& list, std::span<float> vectors) { e.encode(list, vectors); }
  result<void> add(Encoder& encoder, const texts& list, const texts& ids = no_ids(),
                   const pack_options& options = {}) noexcept {
    if (encoder.dim() != model().dim) return error(errc::wrong_size, "encoder", model().dim, encoder.dim());
    heap_list<float> vectors;
    if (list.size() > SIZE_MAX / 8 / model().dim || !vectors.resize(list.size() * model().dim))
      return error(errc::out_of_memory, "vectors");
    if (const auto done = encoder.encode(list, vectors.items()); !done) return done;
    return add(list, std::span<const float>(vectors.items()), ids, options);
  }

  /// Removes texts by their ids; one that is there twice counts once. Errors: no_such_id, damaged, out_of_memory.
  result<void> remove(const texts& ids) noexcept {
    heap_list<std::size_t> rows;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto row = state_.find(ids[i]);
      if (!row) return row.error();
      if (*row == state_.rows()) return error(errc::no_such_id, ids[i]).in(state_.folder);
      if (!rows.append(&*row, 1)) return error(errc::out_of_memory, "rows");
    }
    for (const std::size_t row : rows)
      if (!may_change(segment_of(row))) return error(errc::out_of_memory, "removed rows");
    for (const std::size_t row : rows) {
      index_detail::open_segment& s = segment_of(row);
      const std::size_t i = row - s.first_row;
      if (!s.removed(i)) ++s.entry.removed_rows;
      s.changed[i / 64] |= std::uint64_t{1} << i % 64;
    }
    changed_ = changed_ || !rows.empty();
    return {};
  }

  /// Makes one segment of all, without the rows that are removed. Rows get other numbers, in the same order. Errors:
  /// cannot_write, out_of_memory, damaged.
  result<void> compact(const pack_options& options = {}) noexcept {
    using namespace index_detail;
    if (state_.segments.empty() || (state_.segments.size() == 1 && state_.size() == state_.rows())) return {};
    kept_rows rows{state_, {}};
    if (const auto done = rows.list(); !done) return done;
    heap_list<open_segment> merged;
    if (rows.size() != 0) {
      const auto number = write(rows, options);
      if (!number) return number.error();
      auto segment = state_.map({*number, rows.size(), 0, {}}, 0);
      if (!segment) return segment.error();
      if (!merged.push(std::move(*segment))) return error(errc::out_of_memory, "segments");
    }
    state_.segments = std::move(merged);
    changed_ = true;
    return {};
  }

  /// Makes all changes part of the index. Errors: cannot_write, out_of_memory. After an error of the disk the index is
  /// what it was or what it should be, and `commit` may be called again.
  result<void> commit() noexcept {
    using namespace index_detail;
    if (!changed_) return {};
    heap_list<manifest_entry> entries;
    for (const open_segment& s : state_.segments)
      if (!entries.append(&s.entry, 1)) return error(errc::out_of_memory, "manifest").in(state_.folder);
    manifest_head head = state_.head;
    ++head.changes;
    const auto bytes = manifest_bytes(head, entries.items());
    if (!bytes) return bytes.error().in(state_.folder);
    if (!committed_.reserve(entries.size())) return error(errc::out_of_memory, "manifest").in(state_.folder);
    bool replaced = false;
    const auto done = replace_manifest(state_.folder, bytes->items(), replaced);
    if (!replaced) return done;
    state_.head = head;
    if (const auto noted = note_committed(); !noted) return noted;
    changed_ = staged_ = made_index_ = false;
    sweep(state_.folder, committed_.items());
    return done;
  }

 private:
  /// Rows that are added.
  struct added_rows {
    const texts& list;
    const texts& ids;
    const float* vectors;
    std::size_t dim;
    heap_list<char> digits;
    heap_list<std::size_t> ends;

    std::size_t size() const noexcept { return list.size(); }
    const float* vector(std::size_t i) const noexcept { return vectors + i * dim; }
    std::string_view text(std::size_t i) const noexcept { return list[i]; }
    std::string_view id(std::size_t i) const noexcept {
      if (!ids.empty()) return ids[i];
      const std::size_t begin = i == 0 ? 0 : ends[i - 1];
      return {digits.data() + begin, ends[i] - begin};
    }
    bool number(std::uint64_t next) noexcept {
      for (std::size_t i = 0; i < list.size(); ++i) {
        char text[20];
        const char* const end = std::to_chars(text, text + sizeof text, next + i).ptr;
        if (!digits.append(text, static_cast<std::size_t>(end - text))) return false;
        const std::size_t size = digits.size();
        if (!ends.append(&size, 1)) return false;
      }
      return true;
    }
  };

  /// Rows that a compaction keeps. Their texts and ids have been checked.
  struct kept_rows {
    const index_detail::state& from;
    heap_list<std::size_t> numbers;

    std::size_t size() const noexcept { return numbers.size(); }
    const float* vector(std::size_t i) const noexcept {
      const auto& s = from.segment_of(numbers[i]);
      return s.view.vector(numbers[i] - s.first_row).data();
    }
    std::string_view text(std::size_t i) const noexcept {
      const auto& s = from.segment_of(numbers[i]);
      return *s.view.text(numbers[i] - s.first_row);
    }
    std::string_view id(std::size_t i) const noexcept {
      const auto& s = from.segment_of(numbers[i]);
      return *s.view.id(numbers[i] - s.first_row);
    }
    result<void> list() noexcept {
      for (const auto& s : from.segments)
        for (std::size_t i = 0; i < s.view.size(); ++i) {
          if (s.removed(i)) continue;
          const auto text = s.view.text(i), id = s.view.id(i);
          if (!text || !id) return (text ? id : text).error().in(index_detail::file_path(from.folder, s.entry.number));
          const std::size_t number = s.first_row + i;
          if (!numbers.append(&number, 1)) return error(errc::out_of_memory, "rows").in(from.folder);
        }
      return {};
    }
  };

  static texts no_ids() noexcept { return texts(std::initializer_list<std::string_view>{}); }

  explicit index_writer(const index_detail::file_path& folder) noexcept { state_.folder = folder; }

  result<void> check_new(std::string_view id) const noexcept {
    bool plain = !id.empty();
    for (const char c : id) plain = plain && static_cast<unsigned char>(c) >= ' ' && c != '\x7F';
    if (!plain) return error(errc::bad_key, id.empty() ? "an empty id" : id);
    const auto row = state_.find(id);
    if (!row) return row.error();
    if (*row != state_.rows()) return error(errc::exists_already, id).in(state_.folder);
    return {};
  }

  /// Writes a segment of rows; returns its number.
  template <class Rows>
  result<std::uint64_t> write(const Rows& rows, const pack_options& options) noexcept {
    using namespace index_detail;
    const std::uint64_t number = state_.head.next_file;
    const file_path path(state_.folder, number);
    if (!path.whole()) return error(errc::cannot_write).in(path);
    staged_ = true;
    if (const auto done = segment_writer(path.text(), model(), rows, options).run(); !done) return done.error();
    ++state_.head.next_file;
    return number;
  }

  index_detail::open_segment& segment_of(std::size_t row) noexcept {
    return const_cast<index_detail::open_segment&>(state_.segment_of(row));
  }
  /// Gives a segment removed rows of its own.
  static bool may_change(index_detail::open_segment& s) noexcept {
    if (!s.changed.empty()) return true;
    const std::size_t words = (s.view.size() + 63) / 64;
    if (!s.changed.resize(words)) return false;
    std::copy(s.entry.removed.begin(), s.entry.removed.end(), s.changed.begin());
    s.entry.removed = s.changed.items();
    return true;
  }

  result<void> note_committed() noexcept {
    committed_.clear();
    for (const index_detail::open_segment& s : state_.segments)
      if (!committed_.append(&s.entry.number, 1)) return error(errc::out_of_memory, "segments").in(state_.folder);
    return {};
  }

  index_detail::state state_;
  heap_list<char> names_;                          ///< of the model, in an index that is new
  heap_list<std::uint64_t> committed_;             ///< the segments of the manifest on the disk
  bool changed_ = false;                           ///< since the last commit
  bool staged_ = false;                            ///< a segment may be on the disk that the manifest does not have
  bool made_index_ = false, made_folder_ = false;  ///< nothing is committed yet
  index_detail::writer_lock lock_;
};

}  // namespace dupq::inline DUPQ_ABI
