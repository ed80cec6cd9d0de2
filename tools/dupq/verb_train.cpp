// dupq train: from a model and labelled pairs to a model of one's own.
#include "verb_train.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <dupq/core/sha256.hpp>
#include <dupq/core/thread_pool.hpp>
#include <dupq/metrics.hpp>
#include <optional>
#include <string>
#include <vector>

#include "stop_request.hpp"
#include "train_base.hpp"
#include "train_data.hpp"
#include "train_judge.hpp"
#include "train_loop.hpp"
#include "train_memory.hpp"
#include "train_rows.hpp"
#include "train_settings.hpp"
#include "train_tokens.hpp"
#include "trained_file.hpp"
#include "verb_eval.hpp"

namespace dupq_tool {
namespace {

/// What tells this training from all others: the base, the options and the pairs.
std::string run_digest(const dupq::model& base, const train_settings& settings, const train_data& data) {
  dupq::sha256 digest;
  digest.update(base.file().bytes());
  const std::string options = settings.text();
  digest.update(std::as_bytes(std::span(options)));
  add_to_digest(digest, data.rows);
  add_to_digest(digest, data.judged(), data.validation);
  return std::string(std::string_view(digest.hex()));
}

template <class T>
T take_in(dupq::result<T> r, const std::string& path) {
  if (!r) throw failure(r.error().in(path));
  return std::move(*r);
}

void check_kind(const train_base& base, train_loss loss) {
  const bool cross = base->config().kind == dupq::model_kind::cross_encoder;
  if (loss == train_loss::cross && base.is_static()) base.refuse_head();
  if (loss == train_loss::cross && !cross)
    throw failure(base.path() +
                  ": a bi-encoder: --loss cross needs a cross-encoder, or --new-head, which makes one of "
                  "its body");
  if (loss != train_loss::cross && cross)
    throw failure(base.path() + ": a cross-encoder, which only --loss cross trains");
}

dupq::trainer_options options_for(const train_settings& s, const train_plan& plan, std::size_t columns,
                                  std::size_t tokens, dupq::executor executor, const dupq::kernels* kernels) {
  dupq::trainer_options options;
  options.optimizer.learning_rate = s.learning_rate;
  options.optimizer.weight_decay = s.weight_decay;
  options.optimizer.clip = s.clip;
  options.warmup = s.warmup;
  options.steps = plan.steps();
  options.dropout = s.dropout;
  options.seed = s.seed;
  options.texts = s.batch * columns;
  options.tokens = tokens;
  options.executor = executor;
  options.kernels = kernels;
  return options;
}

void say_plan(const train_base& base, const train_data& data, const train_plan& plan, const step_tokens& tokens,
              std::uint64_t bytes, const train_settings& s) {
  const auto say = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  const bool cross = s.loss == train_loss::cross;
  if (tokens.truncated != 0)
    say(data.rows.name + ": " + counted(tokens.truncated, cross ? "pair" : "text") + " cut to " +
        std::to_string(base->config().max_length) + " tokens");
  say(counted(data.rows.training.size(), "pair") + ", " + counted(plan.steps(), "step") + " of " +
      counted(s.batch, "pair") + ", at most " + counted(tokens.most, "token") + " a step, " + megabytes(bytes) +
      " of memory");
  if (s.as_in_the_notebook) say("as in the notebook: " + std::string(notebook_mistake(s.loss)));
  if (s.warmup >= plan.steps())
    say("the learning rate only rises: --warmup " + std::to_string(s.warmup) +
        " is no less than all steps (take fewer, or more --epochs)");
}

/// The table that `eval` prints, of the pairs that chose the threshold and of those that did not.
std::string judge_split(const train_data& data, double threshold, std::span<const float> scores) {
  std::vector<judgement> lines;
  const auto add = [&](const char* title, std::span<const std::size_t> rows, std::span<const float> part) {
    judged_part judged{{part.begin(), part.end()}, {}};
    for (const std::size_t row : rows) judged.labels.push_back(data.rows.pairs.labels[row]);
    lines.emplace_back(title, judged, threshold);
  };
  const std::size_t first = data.rows.validation.size();
  add("validation", data.rows.validation, scores.first(first));
  add("test", data.rows.testing, scores.subspan(first));
  return as_table(lines);
}

std::uint64_t write_model(const std::string& to, const dupq::model& base, text_trainer& trainer,
                          std::optional<float> threshold, const training_record& record) {
  named_weights weights("the trained model");
  add_weights(weights, trainer);
  const trained_file file(base, weights, threshold, record);
  model_output out(to, file.bytes());
  file.write([&](std::span<const std::byte> part) { out.write(part); });
  out.commit({.check_weights = false});  // they were looked at when they were laid out
  return file.bytes();
}

/// A place for checkpoints beside the output; nothing where there is no such place.
std::optional<train_checkpoint> checkpoint_for(const arguments& args, const std::string& to, std::string run,
                                               std::uint64_t last_step) {
  const bool wanted = args.has("--resume") || args.has("--checkpoint-every");
  if (to == "-") {
    if (wanted) throw usage_error("a checkpoint needs an output file, -o is standard output");
    return {};
  }
  train_checkpoint checkpoint(to + ".checkpoint", std::move(run));
  if (args.has("--resume")) {
    if (const auto steps = checkpoint.check().steps; steps > last_step)
      throw failure(checkpoint.path() + ": has " + counted(steps, "step") + " already");
  } else if (os::look_at(checkpoint.path()).there) {
    throw failure(checkpoint.path() +
                  ": is there, of a training that has not ended: --resume goes on with it, else remove it");
  }
  return checkpoint;
}

/// Whether the output can be written, before hours are spent on it.
void check_output(const std::string& to) {
  if (to != "-") const output_file probe(to);
}

struct train_outcome {
  bool stopped = false;
  std::uint64_t steps = 0;
};

train_outcome train(const arguments& args, const std::string& to, stop_request& stop) {
  train_settings settings(args);
  if (args.has("--valid") && args.has("--split")) throw usage_error("--valid and --split exclude each other");
  const auto most = args.number<std::uint64_t>("--max-steps", 1, UINT64_MAX);
  const auto every = args.number<std::uint64_t>("--checkpoint-every", 1, UINT64_MAX);
  if (args.text("--log") == "-") throw usage_error("--log needs a file");
  dupq::thread_pool pool(args.number<std::size_t>("--threads", 1, 1024).value_or(0));
  const dupq::kernels* const kernels = chosen_kernels(args);

  const train_base base(args[0], args, settings.new_head ? std::optional(settings.seed) : std::nullopt,
                        !os::same_file(args[0], to));
  check_kind(base, settings.loss);
  if (base.is_static()) settings.suit_table(args);
  const train_data data(args, settings);
  train_plan plan(data.rows.training, settings);
  const step_tokens tokens = count_tokens(*base, data.rows, plan);
  const std::size_t columns = settings.loss == train_loss::cross ? 1 : data.rows.negatives.empty() ? 2 : 3;
  const auto options = options_for(settings, plan, columns, tokens.most, pool.executor(), kernels);
  const std::uint64_t trainer_needs = take_in(trainer_bytes(*base, options), base.path());
  train_memory memory{.trainer = trainer_needs,
                      .base = base.bytes(),
                      .weights = base.weight_bytes(),
                      .image = base.image_bytes(),
                      .keys = base->file().data_offset(),
                      .texts = bytes_of(data.rows.pairs) + bytes_of(data.other),
                      .keeps_best = settings.epochs > 1 && !data.validation.empty(),
                      .piped = to == "-"};
  const std::vector<std::size_t> judged = data.validation_and_test();
  if (!judged.empty()) memory.scoring = scoring_bytes(base->config(), pool.executor(), data.judged(), judged);
  check_output(to);
  const std::uint64_t last_step = std::min(most.value_or(UINT64_MAX), plan.steps());
  auto checkpoint = checkpoint_for(args, to, run_digest(*base, settings, data), last_step);
  say_plan(base, data, plan, tokens, memory.peak(), settings);

  const auto trainer = take_in(make_text_trainer(*base, options, settings), base.path());
  train_loop_options loop_options{.last_step = last_step,
                                  .checkpoint_every = every.value_or(0),
                                  .checkpoint = checkpoint ? &*checkpoint : nullptr,
                                  .log = args.text("--log")};
  const auto score = [&](const labelled_pairs& pairs, std::span<const std::size_t> rows) {
    return score_trained(*base, *trainer, pool.executor(), pairs, rows);
  };
  if (!data.validation.empty())
    loop_options.judge = [&] {
      std::vector<std::uint8_t> labels;
      for (const std::size_t row : data.validation) labels.push_back(data.judged().labels[row]);
      const auto best = dupq::best_f1(score(data.judged(), data.validation), labels);
      if (!best) throw failure(data.rows.name + ": no validation pair is labelled 1, so there is no threshold to find");
      return *best;
    };
  train_loop loop(*trainer, data.rows, plan, settings, loop_options);
  if (args.has("--resume")) loop.resume();
  if (!loop.run(stop)) return {true, loop.at().steps};

  const train_progress& at = loop.at();
  std::optional<float> threshold;
  if (at.best_epoch != 0) threshold = at.threshold;
  std::string table;
  std::uint64_t bytes = 0;
  training_record record{.base = base.name(), .loss = settings.loss_in_words(), .seed = settings.seed};
  record.steps = threshold ? std::min(at.steps, at.best_epoch * plan.steps_per_epoch()) : at.steps;
  record.epochs = static_cast<float>(static_cast<double>(plan.rows_before(record.steps)) /
                                     static_cast<double>(data.rows.training.size()));
  if (threshold) record.f1 = static_cast<float>(at.best_f1);
  loop.with_best([&] {
    if (!data.rows.testing.empty()) {
      table = judge_split(data, at.threshold, score(data.rows.pairs, judged));
    }
    bytes = write_model(to, *base, *trainer, threshold, record);
  });
  if (checkpoint && (!every || at.steps == plan.steps())) checkpoint->remove();
  std::string line = to + ": " + counted(at.steps, "step") + ", loss " + fixed(loop.mean_loss(), 4);
  if (threshold)
    line += ", validation F1 " + fixed(at.best_f1, 4) + " at threshold " + shortest(*threshold) + " (epoch " +
            std::to_string(at.best_epoch) + ")";
  std::string said = table;
  if (to != "-") said += line + ", " + megabytes(bytes) + '\n';
  if (to == "-") {
    std::fputs(said.c_str(), stderr);
  } else {
    output_file out("-");
    out.write(said);
    out.commit();
  }
  if (!loop.log_failure().empty()) throw failure(loop.log_failure());
  return {};
}

void run_train(const arguments& args) {
  const std::string to = args.needed("-o");
  stop_request stop;
  const train_outcome outcome = train(args, to, stop);
  if (!outcome.stopped) return;
  const std::string what =
      outcome.steps == 0 ? "stopped before the first step"
      : to == "-" ? "stopped after step " + grouped(outcome.steps) + "; nothing is kept, since -o is standard output"
                  : "stopped after step " + grouped(outcome.steps) + ", which " + to +
                        ".checkpoint has: the same command with --resume goes on";
  std::fprintf(stderr, "dupq: %s\n", what.c_str());
  stop.follow();
}

}  // namespace

verb train_verb() {
  return {
      .name = "train",
      .summary = "fine-tunes a model on labelled pairs",
      .usage = "BASE PAIRS... --loss L -o OUT.gguf [--valid FILE | --split notebook|T,V,T]",
      .help =
          "BASE is a model file with float32 or float16 weights, or a Hugging Face folder. OUT.gguf has float32 "
          "weights,\n"
          "the same to the last bit for every number of threads and every kernel table.\n"
          "  --loss L        cosine, contrastive, online-contrastive or mnr (bi-encoders; mnr learns from the "
          "duplicates\n"
          "                  alone, and from a column `negative` if there is one), cross (cross-encoders)\n"
          "  --new-head      with --loss cross: BASE is a bi-encoder, whose body gets a new head\n"
          "  --valid FILE    labelled pairs: after each epoch F1 on them; the best epoch is kept, with its threshold\n"
          "  --split S       the same with a part of PAIRS, and a judgement on another part (see `dupq eval`); "
          "without\n"
          "                  either, no threshold is stored: `dupq calibrate` does that\n"
          "  --epochs N      how often all pairs are learnt from (default 1); --batch N: pairs of a step (32; cross: "
          "16)\n"
          "  --lr X          learning rate (2e-5; of a static model's table 1e-2), after --warmup N steps (100); it "
          "falls\n"
          "                  to 0 at the end\n"
          "  --dropout P     (0.1; a static model has none), --weight-decay X (0.01), --clip X: the longest gradient "
          "(1;\n"
          "                  0: any)\n"
          "  --margin X      of contrastive and online-contrastive (0.5); --scale X: of mnr (20)\n"
          "  --negative-label X  what cosine wants of different texts (0)\n"
          "  --negatives NAME  with mnr: the column of third texts, which are no duplicates of the first\n"
          "  --augment opposites  also learn from questions made of those in PAIRS, which ask another thing in nearly "
          "the\n"
          "                  same words, or the same in others, and once more from duplicates with few words in "
          "common;\n"
          "                  --augment-share X: so many for each pair (0.25)\n"
          "  --as-in-the-notebook  make the seed notebook's mistake with cosine, online-contrastive or mnr, and name "
          "it\n"
          "  --no-shuffle    take the pairs as they stand; --seed N: of the order, dropout and a new head (42);\n"
          "                  the split's is 42 always\n"
          "  --max-steps N   stop after N steps; the learning rate falls as if all were done\n"
          "  --checkpoint-every N  save OUT.gguf.checkpoint every N steps; Ctrl-C saves it as well\n"
          "  --resume        go on from it, with all other options as they were: the result is the same, to the bit\n"
          "  --log STEPS.csv step, learning rate, loss and length of the gradient of every step\n"
          "  --threads N     threads to use (default: the cores that this process may use)\n"
          "  --kernels NAME  force a kernel table; `dupq info` lists them\n",
      .options = {{"-o", true},
                  {"--loss", true},
                  {"--new-head", false},
                  {"--valid", true},
                  {"--split", true},
                  {"--epochs", true},
                  {"--batch", true},
                  {"--lr", true},
                  {"--warmup", true},
                  {"--dropout", true},
                  {"--weight-decay", true},
                  {"--clip", true},
                  {"--margin", true},
                  {"--scale", true},
                  {"--negative-label", true},
                  {"--negatives", true},
                  {"--augment", true},
                  {"--augment-share", true},
                  {"--as-in-the-notebook", false},
                  {"--shuffle", false},
                  {"--no-shuffle", false},
                  {"--seed", true},
                  {"--max-steps", true},
                  {"--resume", false},
                  {"--log", true},
                  {"--checkpoint-every", true},
                  {"--threads", true},
                  {"--kernels", true}},
      .reads_texts = true,
      .least = 2,
      .most = 64,
      .run = run_train};
}

}  // namespace dupq_tool
