// The word lists of opposites.hpp: words that turn a question into another one, and words that do not.
#pragma once

#include <span>
#include <string_view>

namespace dupq_tool {

/// When words may change places: `wh` not in a question that is answered with yes or no, where "Is it safe?" and "Is it
/// unsafe?" ask the same; `before_ing` only before a word on -ing ("stop smoking"); `forward` from the first to the
/// second only; `weight` before what one gains and loses.
enum class word_rule { any, wh, before_ing, forward, weight };

struct word_pair {
  std::string_view a, b;
  word_rule rule = word_rule::any;
};

/// Opposites: the question asks another thing.
inline constexpr word_pair antonyms[] = {
    {"best", "worst"},
    {"better", "worse"},
    {"good", "bad", word_rule::wh},
    {"advantages", "disadvantages"},
    {"advantage", "disadvantage"},
    {"benefits", "dangers"},
    {"strengths", "weaknesses"},
    {"strength", "weakness"},
    {"increase", "decrease"},
    {"increasing", "decreasing"},
    {"increases", "decreases"},
    {"raise", "lower"},
    {"reduce", "increase", word_rule::forward},
    {"gain", "lose", word_rule::weight},
    {"gaining", "losing", word_rule::weight},
    {"win", "lose", word_rule::forward},
    {"won", "lost", word_rule::forward},
    {"winning", "losing", word_rule::forward},
    {"buy", "sell"},
    {"buying", "selling"},
    {"lend", "borrow"},
    {"enable", "disable"},
    {"activate", "deactivate"},
    {"install", "uninstall"},
    {"installing", "uninstalling"},
    {"upload", "download"},
    {"uploading", "downloading"},
    {"block", "unblock"},
    {"lock", "unlock"},
    {"follow", "unfollow"},
    {"turn on", "turn off"},
    {"log in", "log out"},
    {"sign in", "sign out"},
    {"open", "close"},
    {"encrypt", "decrypt"},
    {"import", "export"},
    {"imports", "exports"},
    {"start", "stop", word_rule::before_ing},
    {"begin", "stop", word_rule::before_ing},
    {"quit", "start", word_rule::before_ing},
    {"love", "hate"},
    {"loves", "hates"},
    {"accept", "reject"},
    {"accepted", "rejected"},
    {"pass", "fail"},
    {"remember", "forget"},
    {"success", "failure"},
    {"successful", "unsuccessful"},
    {"succeed", "fail"},
    {"men", "women"},
    {"man", "woman"},
    {"male", "female"},
    {"boys", "girls"},
    {"boy", "girl"},
    {"boyfriend", "girlfriend"},
    {"husband", "wife"},
    {"father", "mother"},
    {"son", "daughter"},
    {"brother", "sister"},
    {"before", "after"},
    {"north", "south"},
    {"northern", "southern"},
    {"eastern", "western"},
    {"high", "low"},
    {"higher", "lower"},
    {"highest", "lowest"},
    {"maximum", "minimum"},
    {"largest", "smallest"},
    {"biggest", "smallest"},
    {"longest", "shortest"},
    {"tallest", "shortest"},
    {"oldest", "youngest"},
    {"older", "younger"},
    {"richest", "poorest"},
    {"rich", "poor"},
    {"strongest", "weakest"},
    {"fastest", "slowest"},
    {"easiest", "hardest"},
    {"happiest", "saddest"},
    {"happy", "sad"},
    {"most expensive", "cheapest"},
    {"the most", "the least"},
    {"more than", "less than"},
    {"legal", "illegal", word_rule::wh},
    {"safe", "dangerous", word_rule::wh},
    {"possible", "impossible", word_rule::wh},
    {"healthy", "unhealthy", word_rule::wh},
    {"introvert", "extrovert"},
    {"introverts", "extroverts"},
    {"beginner", "expert"},
    {"beginners", "experts"},
    {"internal", "external"},
    {"positive", "negative"},
    {"optimistic", "pessimistic"},
    {"public", "private"},
    {"morning", "evening"},
    {"summer", "winter"},
    {"always", "never", word_rule::wh},
    {"teacher", "student"},
    {"employer", "employee"},
    {"buyer", "seller"},
    {"parents", "children"},
};

/// Words with neighbours that make them something else: nothing is changed in a question with one of them.
inline constexpr std::string_view idioms[] = {
    "open source", "high school", "high court",   "best friend",   "best friends", "best buy",  "good morning",
    "good night",  "pros and",    "day to",       "valentine's",   "man made",     "good luck", "no man's",
    "north korea", "south korea", "south africa", "public school", "fell in love", "in love",   "falling in love",
    "make love",   "true love",   "love life",    "love marriage", "day before",   "day after", "good bye",
    "better half", "high end",    "pass out",     "open up",       "win win",      "one day",   "good deal",
};

/// The same in other words: the question stays what it is.
inline constexpr word_pair synonyms[] = {
    {"purchase", "buy"},
    {"purchasing", "buying"},
    {"biggest", "largest"},
    {"fastest", "quickest"},
    {"quickly", "fast", word_rule::forward},
    {"smart", "intelligent"},
    {"smartest", "most intelligent"},
    {"movie", "film"},
    {"movies", "films"},
    {"wealthy", "rich"},
    {"kids", "children"},
    {"photo", "picture"},
    {"photos", "pictures"},
    {"famous", "well-known", word_rule::forward},
    {"scared", "afraid", word_rule::forward},
    {"occur", "happen"},
    {"occurs", "happens"},
    {"choose", "pick"},
    {"difficult", "hard", word_rule::forward},
    {"begin", "start", word_rule::forward},
    {"beginning", "start", word_rule::forward},
    {"obtain", "get", word_rule::forward},
    {"assist", "help", word_rule::forward},
    {"require", "need", word_rule::forward},
    {"required", "needed", word_rule::forward},
    {"enhance", "improve"},
    {"remain", "stay"},
    {"incorrect", "wrong", word_rule::forward},
    {"TV", "television"},
    {"USA", "United States"},
    {"united kingdom", "UK", word_rule::forward},
    {"mobile phone", "cell phone"},
    {"how do I", "how can I", word_rule::forward},
    {"how do you", "how does one", word_rule::forward},
    {"how should I", "how do I", word_rule::forward},
    {"what is", "what's"},
    {"who is", "who's"},
    {"what are some", "what are a few", word_rule::forward},
    {"is there any way to", "is there a way to"},
    {"what is the best way to", "what is the most effective way to", word_rule::forward},
    {"what are the best ways to", "what are the most effective ways to", word_rule::forward},
    {"do not", "don't", word_rule::forward},
    {"does not", "doesn't", word_rule::forward},
    {"is not", "isn't", word_rule::forward},
    {"are not", "aren't", word_rule::forward},
    {"cannot", "can't", word_rule::forward},
    {"am not able to", "can't", word_rule::forward},
};

/// "Why do ..." and "Why don't ...": right before any subject.
inline constexpr word_pair negated_auxiliaries[] = {
    {"do", "don't"},   {"does", "doesn't"},   {"did", "didn't"}, {"is", "isn't"},         {"are", "aren't"},
    {"was", "wasn't"}, {"were", "weren't"},   {"can", "can't"},  {"should", "shouldn't"}, {"would", "wouldn't"},
    {"will", "won't"}, {"could", "couldn't"}, {"has", "hasn't"},
};

/// Those who do something to each other, by what they do: "Can a landlord sue a tenant?"
inline constexpr std::string_view deeds[] = {
    "sue",   "beat",      "love",      "hate",       "attack",  "defeat",  "invade",   "eat",       "kill",
    "marry", "hire",      "fire",      "help",       "support", "leave",   "follow",   "influence", "affect",
    "cause", "replace",   "own",       "acquire",    "trust",   "respect", "teach",    "fear",      "bite",
    "chase", "pay",       "like",      "need",       "support", "destroy", "join",     "ban",       "think",
    "feel",  "criticise", "criticize", "understand", "treat",   "prefer",  "overtake", "conquer",   "bully",
};

/// What can be done by anything to anything.
inline constexpr std::string_view effects[] = {"affect", "influence", "cause"};

/// Those who can do something to each other.
inline constexpr std::string_view actors[] = {
    "people",   "men",        "women",         "man",        "woman",      "girls",     "boys",        "guys",
    "girl",     "boy",        "guy",           "parents",    "children",   "kids",      "students",    "teachers",
    "student",  "teacher",    "cats",          "dogs",       "cat",        "dog",       "employers",   "employees",
    "employer", "employee",   "doctors",       "patients",   "landlord",   "tenant",    "landlords",   "tenants",
    "husband",  "wife",       "husbands",      "wives",      "police",     "citizens",  "buyer",       "seller",
    "atheists", "christians", "muslims",       "hindus",     "jews",       "americans", "indians",     "pakistanis",
    "chinese",  "liberals",   "conservatives", "introverts", "extroverts", "democrats", "republicans", "engineers",
    "doctor",   "patient",    "lion",          "tiger",      "lions",      "tigers",
};

/// Words in whose place another one cannot stand, and which end a name or a noun with what belongs to it.
inline constexpr std::string_view function_words[] = {
    "i",        "you",      "he",    "she",     "it",    "we",     "they",  "me",     "him",   "her",     "us",
    "them",     "this",     "that",  "these",   "those", "there",  "who",   "what",   "which", "one",     "someone",
    "anyone",   "everyone", "each",  "to",      "from",  "in",     "on",    "at",     "by",    "for",     "with",
    "of",       "as",       "than",  "and",     "or",    "but",    "if",    "when",   "while", "because", "so",
    "not",      "ever",     "using", "without", "after", "before", "is",    "are",    "was",   "were",    "be",
    "do",       "does",     "did",   "can",     "could", "will",   "would", "should", "how",   "why",     "where",
    "into",     "about",    "via",   "my",      "your",  "his",    "their", "our",    "its",   "just",    "really",
    "actually", "still",    "have",  "has",     "had",   "during", "over",
};

inline constexpr std::string_view number_words[] = {"two",   "three", "four", "five", "six",
                                                    "seven", "eight", "nine", "ten"};

}  // namespace dupq_tool
