// dupq encode: texts to vectors.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "npy.hpp"
#include "output_file.hpp"
#include "progress.hpp"
#include "session.hpp"
#include "verb.hpp"

namespace dupq_tool {

/// Writes rows of floats as a NumPy array or, where the file's name ends in .csv, as lines of decimals.
class vector_writer {
 public:
  vector_writer(const std::string& path, std::size_t dim) : out_(path), dim_(dim), csv_(path.ends_with(".csv")) {
    if (!csv_ && out_.seekable()) out_.write(npy_header(0, dim));
  }

  void write(std::span<const float> rows) {
    rows_ += rows.size() / dim_;
    if (csv_) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        out_.write(shortest(rows[i]));
        out_.write((i + 1) % dim_ == 0 ? "\n" : ",");
      }
    } else if (out_.seekable()) {
      out_.write_through(rows.data(), rows.size_bytes());
    } else {
      kept_.insert(kept_.end(), rows.begin(), rows.end());  // a pipe gets the header first
    }
  }

  void commit() {
    if (!csv_ && out_.seekable()) {
      out_.overwrite(0, npy_header(rows_, dim_));
    } else if (!csv_) {
      out_.write(npy_header(rows_, dim_));
      out_.write(kept_.data(), kept_.size() * sizeof(float));
    }
    out_.commit();
  }

 private:
  output_file out_;
  std::size_t dim_, rows_ = 0;
  bool csv_;
  std::vector<float> kept_;
};

inline void run_encode(const arguments& args) {
  const std::string to = args.needed("-o");
  session s(args[0], args);
  s.need_vectors();
  row_source rows(args, args.size() > 1 ? args[1] : "-", row_kind::text);
  vector_writer out(to, s.dim());
  {
    progress shown("texts");
    text_store bytes;
    std::vector<std::string_view> texts;
    std::vector<float> vectors;
    std::uint64_t done = 0;
    for (bool more = true; more;) {
      texts.clear(), bytes.clear();
      for (text_row row; !s.full(texts.size(), bytes.bytes()) && (more = rows.next(row));)
        texts.push_back(bytes.keep(row.texts[0]));
      vectors.resize(texts.size() * s.dim());
      s.encode(texts, vectors);
      out.write(vectors);
      shown.update(done += texts.size(), rows.fraction());
    }
  }
  out.commit();
  rows.report(s.truncated(), s.tokens(), "text");
}

inline verb encode_verb() {
  return {.name = "encode",
          .summary = "texts to vectors",
          .usage = "M.gguf [FILE] -o V.npy|V.csv",
          .help =
              "Writes the vector of each text: a NumPy array [texts, dim] of float32, or lines of decimals.\n"
              "Without FILE, texts come from standard input.\n",
          .options = {{"-o", true}},
          .runs_model = true,
          .reads_texts = true,
          .most = 2,
          .run = run_encode};
}

}  // namespace dupq_tool
