// Ways to put a question: frames that ask for the same, and frames in which two names cannot change places.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "question_words.hpp"

namespace dupq_tool {

/// Words and a slot, X, that takes the other words of a question. What has a stop in it is written only, and never
/// looked for.
using question_frame = std::string_view;

namespace frames {

/// Frames of one group ask for the same. Their slots want what stands in the others: here a verb without "to".
inline constexpr question_frame ways_to_do[] = {
    "how do I X?",
    "how can I X?",
    "how can one X?",
    "how does one X?",
    "how should I X?",
    "what is the best way to X?",
    "what's the best way to X?",
    "what are some ways to X?",
    "is there a way to X?",
    "is there any way to X?",
    "what should I do to X?",
    "what can I do to X?",
    "what are some tips to X?",
    "what do I have to do to X?",
    "what helps to X?",
    "which methods are there to X?",
    "I want to X. What should I do?",
    "I'd like to X. How?",
    "can someone tell me how to X?",
    "I have to X. Is there a good way?",
    "what steps does it take to X?",
};
inline constexpr question_frame reasons[] = {
    "why do X?", "what is the reason that X?", "what makes X?", "how come X?", "X. Why?",
};
inline constexpr question_frame reasons_of_one[] = {
    "why does X?",
    "what makes X?",
    "for what reason does X?",
    "what is it that makes X?",
};
inline constexpr question_frame past_reasons[] = {"why did X?", "what made X?", "for what reason did X?"};
inline constexpr question_frame inabilities[] = {
    "why can't I X?",
    "how come I can't X?",
    "I can't X. Why?",
    "why am I unable to X?",
    "what keeps me from being able to X?",
};
inline constexpr question_frame meanings[] = {
    "what is the meaning of X?",         "what does X mean?",       "how is X defined?", "what is meant by X?",
    "can you explain the meaning of X?", "how would you define X?",
};
inline constexpr question_frame ages[] = {"how old is X?", "what is the age of X?"};
inline constexpr question_frame heights[] = {"how tall is X?", "how high is X?", "what is the height of X?"};
inline constexpr question_frame sizes[] = {"how big is X?", "how large is X?", "what is the size of X?"};
inline constexpr question_frame lengths[] = {"how long is X?", "what is the length of X?"};
inline constexpr question_frame speeds[] = {"how fast is X?", "what is the speed of X?"};
inline constexpr question_frame weights[] = {"how much does X weigh?", "how heavy is X?", "what is the weight of X?"};
inline constexpr question_frame prices[] = {
    "how much does X cost?", "what is the price of X?", "what does X cost?",
    "how expensive is X?",   "what is the cost of X?",  "how much do I have to pay for X?",
};
inline constexpr question_frame times_taken[] = {
    "how long does it take to X?",   "how much time does it take to X?", "how long do I need to X?",
    "how much time do I need to X?", "in what time can one X?",
};
inline constexpr question_frame inventors[] = {
    "who invented X?",
    "who is the inventor of X?",
    "by whom was X invented?",
    "which person invented X?",
};
inline constexpr question_frame authors[] = {"who wrote X?", "who is the author of X?", "by whom was X written?"};
inline constexpr question_frame founders[] = {"who founded X?", "who is the founder of X?", "by whom was X founded?"};
inline constexpr question_frame finders[] = {"who discovered X?", "by whom was X discovered?",
                                             "who was the first to find X?"};
inline constexpr question_frame places[] = {
    "where can I X?",
    "what is a good place to X?",
    "which places are there to X?",
    "where is it possible to X?",
    "where should I go to X?",
    "I'd like to X. Where can I do that?",
};
inline constexpr question_frame advice[] = {
    "should I X?",
    "is it a good idea to X?",
    "is it advisable to X?",
    "would you advise me to X?",
    "does it make sense to X?",
};
inline constexpr question_frame possibilities[] = {
    "is it possible to X?", "can one X?", "can you X?", "is there a possibility to X?", "can I X?",
};
inline constexpr question_frame feelings[] = {
    "what is it like to X?",
    "how does it feel to X?",
    "what does it feel like to X?",
    "what's it like to X?",
};
inline constexpr question_frame consequences[] = {
    "what happens if X?",
    "what will happen if X?",
    "what would happen if X?",
    "what are the consequences if X?",
};
inline constexpr question_frame workings[] = {
    "how does X work?",
    "on what principle does X work?",
    "what is the working principle of X?",
    "what is the mechanism behind X?",
};
inline constexpr question_frame opinions[] = {
    "what do you think of X?",    "what do you think about X?", "what is your opinion of X?",
    "what is your opinion on X?", "how do you like X?",         "what are your thoughts on X?",
};
inline constexpr question_frame truths[] = {
    "is it true that X?",
    "is there any truth in the claim that X?",
    "X. Is that true?",
    "does it hold that X?",
};
inline constexpr question_frame signs[] = {
    "how do I know if X?",
    "how can I tell if X?",
    "what are the signs that X?",
    "how do I find out whether X?",
};
inline constexpr question_frame uses[] = {"what is X used for?", "what are the uses of X?", "what can X be used for?"};
inline constexpr question_frame gains[] = {
    "what are the advantages of X?",
    "what are the benefits of X?",
    "what is good about X?",
    "what speaks for X?",
};
inline constexpr question_frame drawbacks[] = {
    "what are the disadvantages of X?",
    "what are the drawbacks of X?",
    "what is bad about X?",
    "what speaks against X?",
};

inline constexpr std::span<const question_frame> same_questions[] = {
    ways_to_do,    reasons,  reasons_of_one, past_reasons, inabilities, meanings, ages,     heights, sizes,  lengths,
    speeds,        weights,  prices,         times_taken,  inventors,   authors,  founders, finders, places, advice,
    possibilities, feelings, consequences,   workings,     opinions,    truths,   signs,    uses,    gains,  drawbacks,
};

// ---- two names: what is asked of X and Y is not asked of Y and X

inline constexpr question_frame better_than[] = {"is X better than Y?", "is Y worse than X?",
                                                 "is it true that X is better than Y?", "does X surpass Y?"};
inline constexpr question_frame preferred_to[] = {
    "why do people prefer X to Y?", "why do so many people choose X over Y?", "why is X more popular than Y?",
    "why is Y less popular than X?", "what makes people like X more than Y?"};
inline constexpr question_frame moved[] = {
    "how do I switch from X to Y?", "how can I get from X to Y?", "what is the best way to go to Y from X?",
    "how hard is it to move from X to Y?", "I want to leave X for Y. What should I know?"};
inline constexpr question_frame replaced_by[] = {"can X replace Y?", "can Y be replaced by X?",
                                                 "will X take the place of Y?", "could X be used in the place of Y?"};
inline constexpr question_frame caused_by[] = {"can X cause Y?", "is Y caused by X?", "does X lead to Y?",
                                               "can Y be a result of X?", "is X a reason for Y?"};
inline constexpr question_frame acted_on[] = {"how does X affect Y?", "what effect does X have on Y?",
                                              "how is Y affected by X?", "what does X do to Y?"};
inline constexpr question_frame beaten_by[] = {"can X beat Y?", "can Y be beaten by X?", "would X win against Y?",
                                               "would Y lose to X?", "is X able to defeat Y?"};
inline constexpr question_frame larger_than[] = {"is X bigger than Y?", "is Y smaller than X?", "is X larger than Y?"};
inline constexpr question_frame dearer_than[] = {"why is X more expensive than Y?", "why is Y cheaper than X?",
                                                 "why does X cost more than Y?", "why does Y cost less than X?"};
inline constexpr question_frame thought_of[] = {"what does X think of Y?", "what is the opinion of X about Y?",
                                                "what does X say about Y?"};
inline constexpr question_frame earlier_than[] = {"did X come before Y?", "did Y come after X?",
                                                  "was X earlier than Y?"};
inline constexpr question_frame made_of[] = {"how do you turn X into Y?", "how can Y be made from X?",
                                             "how do I convert X to Y?", "how do I get Y out of X?"};
inline constexpr question_frame part_of[] = {"is X a part of Y?", "does Y include X?", "does X belong to Y?"};
inline constexpr question_frame disliked_by[] = {"why does X hate Y?", "why is Y hated by X?",
                                                 "what does X have against Y?"};
inline constexpr question_frame helped_by[] = {"does X help Y?", "is Y helped by X?", "does Y get help from X?"};
inline constexpr question_frame needed_by[] = {"does X need Y?", "is Y needed by X?", "does X depend on Y?"};
inline constexpr question_frame attacked_by[] = {"why did X attack Y?", "why was Y attacked by X?",
                                                 "for what reason did X attack Y?"};

inline constexpr std::span<const question_frame> of_two_names[] = {
    better_than, preferred_to, moved,   replaced_by, caused_by,   acted_on,  beaten_by, larger_than, dearer_than,
    thought_of,  earlier_than, made_of, part_of,     disliked_by, helped_by, needed_by, attacked_by,
};
/// These ask the same when the names change places.
inline constexpr question_frame both_ways[] = {
    "what is the difference between X and Y?",   "how do X and Y differ?",     "how is X different from Y?",
    "what are the differences between X and Y?", "in what way is X unlike Y?", "what distinguishes X from Y?",
};

}  // namespace frames

/// The frame with words in its slots: Y is only in the frames of two names.
inline std::string filled(question_frame frame, std::string_view x, std::string_view y = {}) {
  std::string out;
  for (std::size_t i = 0; i < frame.size(); ++i) {
    const bool alone = (i == 0 || frame[i - 1] == ' ') && (i + 1 == frame.size() || frame[i + 1] < 'A');
    if (alone && (frame[i] == 'X' || frame[i] == 'Y'))
      out += frame[i] == 'X' ? x : y;
    else
      out += frame[i];
  }
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return out;
}

/// What stands in the slot of a frame; nothing where the question has another form.
inline std::optional<std::string> slot_of(const question_words& q, question_frame frame) {
  if (frame.find('.') != frame.npos || frame.back() != '?') return {};
  const std::string low = lowered(frame.substr(0, frame.size() - 1));
  const std::size_t at = frame.find('X');
  const std::string before = low.substr(0, at - 1), after = at + 2 < low.size() ? low.substr(at + 2) : std::string();
  const auto words = [](std::string_view s) {
    return s.empty() ? std::size_t{0} : static_cast<std::size_t>(std::count(s.begin(), s.end(), ' ')) + 1;
  };
  const std::size_t a = words(before), b = words(after), n = q.size();
  if (n < a + b + 1 || n > a + b + 12 || !q.together(0, n)) return {};
  if (q.match(0, before) != a || (b != 0 && q.match(n - b, after) != b)) return {};
  return q.joined(a, n - a - b);
}

/// The question in all other frames of its group that take its words as they are.
inline void reframe(const question_words& q, std::vector<std::string>& found) {
  for (const auto group : frames::same_questions)
    for (const question_frame frame : group) {
      const auto slot = slot_of(q, frame);
      if (!slot) continue;
      const std::string low = ' ' + lowered(*slot) + ' ';
      const bool mine = low.find(" my ") != low.npos || low.find(" i ") != low.npos || low.find(" me ") != low.npos;
      for (const question_frame other : group)
        if (other != frame && !(mine && other.find(" one ") != other.npos)) found.push_back(filled(other, *slot));
      return;
    }
}

}  // namespace dupq_tool
