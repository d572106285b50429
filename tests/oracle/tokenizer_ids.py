"""Compares tokenizer_ids with other implementations: expected ids of vocabulary-only GGUF files,
the package `tokenizers` on real and on synthesized tokenizer.json files, and, where installed,
`llama_cpp` on the GGUF files.

usage: tokenizer_ids.py TOOL SHARED_FOLDER [REGEX]

REGEX picks the synthesized pipelines and data sections by name; all without it.

Sections whose data or package is absent are reported as skipped; any difference fails.
"""

import ctypes
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import tokenizers
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

FAILURES = []
NUM_COMPARED = 0


def run_tool(tool, path, texts, *options):
    """The tool's (ids, decoded bytes) for each text (str or bytes)."""
    blobs = [t.encode() if isinstance(t, str) else t for t in texts]
    stdin = b"".join(b"%d\n%s" % (len(b), b) for b in blobs)
    done = subprocess.run(
        [tool, str(path), *options], input=stdin, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{path}: {done.stderr.decode()}")
    lines = done.stdout.decode().splitlines()
    assert len(lines) == len(texts), (path, len(lines), len(texts))
    results = []
    for line in lines:
        if line.startswith("error: "):
            results.append((line, None))
            continue
        ids, _, decoded = line.partition("|")
        results.append(([int(i) for i in ids.split()], bytes.fromhex(decoded)))
    return results


def compare(name, texts, expected, found):
    global NUM_COMPARED
    num_wrong = 0
    for text, want, got in zip(texts, expected, found, strict=True):
        NUM_COMPARED += 1
        if want == got:
            continue
        num_wrong += 1
        if num_wrong <= 3:
            print(f"  {name}: {text!r:.300}\n    expected {want!r:.600}\n    found    {got!r:.600}")
    print(f"{'FAIL' if num_wrong else 'ok  '} {name}: {len(texts)} texts, {num_wrong} differ")
    if num_wrong:
        FAILURES.append(name)


def nasty_texts():
    fixed = [
        "",
        " ",
        "  ",
        "\n",
        "\n\n",
        " \n",
        "\t",
        "\r\n",
        "a\r\nb",
        "  a",
        "a  ",
        " a  b ",
        "hello\n\n  world",
        "Hello, y'all! I'VE they'Re it'S 'tis o'clock ''s",
        "ſ'ſ K'K İstanbul ı ß ẞ ﬁ ﬆ",
        "1234567890",
        "1 22 333 4444 55555",
        "٣٤٥ ४५६ ²³¹ ½¼ Ⅷ ⅷ ① 𝟘𝟙",
        "a²b³c¹d½",
        "e\u0301 \u00e9 o\u0308\u0323 \u1100\u1161\u11a8 \uac01",
        "ﬀ ﷺ ㎏ Ａｂｃ",
        "👨‍👩‍👧‍👦 🇩🇪 🏳️‍🌈 ✅ 🦙🦙",
        "\u00a0x\u00a0\u2003y\u3000z\u180ew\u200bq\u200dr\ufeff",
        "\u0085\u2028\u2029\u000b\u000c",
        "中文字符，测试。日本語テスト한국어",
        "कि की हिन्दी ที่ ខ្មែរ",
        "мир — «дружба»",
        "$100.50 + 20% = €?",
        "x=1;y==2//c\n\tif(a<b){}",
        "snake_case CamelCase kebab-case __init__",
        "....!!!!????----====",
        "`a` ~b~ ^c^ |d|",
        "\x00\x01\x7f\x80",
        "\U0010ffff\ue000",
        "a" * 300,
        "ab" * 200,
        " " * 300,
        "\n" * 100,
        "9" * 100,
        "!" * 200,
        "é" * 150,
        "中" * 150,
        "    def f(x):\n        return x  # comment\n",
        "http://example.com/?q=1&r=a%20b",
        "▁a▁▁b▁",
        "<0x41> <0xFF>",
        "Ġhello Ċ",
    ]
    generator = random.Random(7)
    alphabet = (
        "aabcdeEST '’\"\n\r\t "
        " .,!?-_/\\<>|[]{}0123456789éüßñçåøİıſ"
        "中文字日本語한국어нещоकिที่ខ្មែ\u0301\u200d🦙😶🌫️½²Ⅷ\u00a0\u3000\u2028▁Ġ$€+=~^`"
    )
    for _ in range(400):
        fixed.append("".join(generator.choice(alphabet) for _ in range(generator.randint(1, 40))))
    return fixed


def corpus_texts(shared):
    texts = []
    for name, limit in [
        ("multilingual.utf8", 300_000),
        ("c4.utf8", 100_000),
        ("technical.utf8", 100_000),
    ]:
        path = shared / "text" / name
        if path.exists():
            text = path.read_bytes()[:limit].decode(errors="ignore")
            texts += text.split("\n")[:1500] + [text]
    return texts


def lossy(data):
    return data.decode("utf-8", "replace")


def check_json(tool, name, path, texts, special_texts=()):
    reference = Tokenizer.from_file(str(path))
    for options in [(), ("add_special", "parse_special")]:
        reference.encode_special_tokens = "parse_special" not in options
        batch = list(texts) + list(special_texts)
        wanted = [
            e.ids
            for e in reference.encode_batch(batch, add_special_tokens="add_special" in options)
        ]
        found = run_tool(tool, path, batch, *options)
        label = f"{name} {'+'.join(options) or 'plain'}"
        compare(label, batch, wanted, [ids for ids, _ in found])
        decoded = [reference.decode(ids, skip_special_tokens=False) for ids in wanted]
        # Ours are bytes: what is not UTF-8 becomes U+FFFD as the package has it.
        compare(
            label + " decode",
            batch,
            [d.replace("\ufffd", "") for d in decoded],
            [lossy(d or b"").replace("\ufffd", "") for _, d in found],
        )


def check_expected_ids(tool, folder):
    for path in sorted(folder.glob("*.gguf")):
        texts = path.with_suffix(".gguf.inp").read_bytes().decode().split("\n__ggml_vocab_test__\n")
        lines = path.with_suffix(".gguf.out").read_bytes().decode().split("\n")
        wanted = [[int(i) for i in line.split()] for line in lines[: len(texts)]]
        found = run_tool(tool, path, texts)
        compare(f"{path.name} .inp/.out", texts, wanted, [ids for ids, _ in found])


def train(
    pre_tokenizer,
    texts,
    *,
    normalizer=None,
    decoder=None,
    post_processor=None,
    byte_fallback=False,
    vocab_size=3000,
    model=None,
    trainer=None,
    **options,
):
    tokenizer = Tokenizer(model or models.BPE(byte_fallback=byte_fallback, **options))
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    if decoder:
        tokenizer.decoder = decoder
    alphabet = (
        pre_tokenizers.ByteLevel.alphabet() if isinstance(decoder, decoders.ByteLevel) else []
    )
    tokenizer.train_from_iterator(
        texts,
        trainer
        or trainers.BpeTrainer(
            vocab_size=vocab_size,
            initial_alphabet=alphabet,
            show_progress=False,
            special_tokens=["<unk>", "<s>", "</s>"],
        ),
    )
    if post_processor:
        tokenizer.post_processor = post_processor
    return tokenizer


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior=behavior, invert=invert)


def byte_level(use_regex=False, add_prefix_space=False):
    return pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space, use_regex=use_regex)


CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = CONTRACTIONS + "|" + WORDS + r"|\p{N}{1,3}|" + REST
QWEN2 = CONTRACTIONS + "|" + WORDS + r"|\p{N}|" + REST
GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    + CONTRACTIONS
    + r"?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    + CONTRACTIONS
    + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"


def add_bos_and_eos():
    return processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )


def byte_level_pipelines(texts):
    sequence = pre_tokenizers.Sequence
    bytes_out = decoders.ByteLevel()
    yield "gpt2", lambda: train(byte_level(True), texts, decoder=bytes_out)
    yield "gpt2 prefix space", lambda: train(byte_level(True, True), texts, decoder=bytes_out)
    yield "llama3", lambda: train(
        sequence([split(LLAMA3), byte_level()]),
        texts,
        decoder=bytes_out,
        ignore_merges=True,
        post_processor=processors.Sequence(
            [processors.ByteLevel(trim_offsets=True), add_bos_and_eos()]
        ),
    )
    yield "qwen2", lambda: train(
        sequence([split(QWEN2), byte_level()]),
        texts,
        normalizer=normalizers.NFC(),
        decoder=bytes_out,
        post_processor=processors.ByteLevel(trim_offsets=False),
    )
    yield "smollm2 and starcoder", lambda: train(
        sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]),
        texts,
        decoder=bytes_out,
    )
    yield "falcon", lambda: train(
        sequence(
            [
                pre_tokenizers.Punctuation("contiguous"),
                byte_level(True),
                pre_tokenizers.Digits(individual_digits=False),
                split("[0-9][0-9][0-9]"),
            ]
        ),
        texts,
        decoder=bytes_out,
    )
    yield "gpt4o", lambda: train(sequence([split(GPT4O), byte_level()]), texts, decoder=bytes_out)
    yield "bloom", lambda: train(sequence([split(BLOOM), byte_level()]), texts, decoder=bytes_out)
    yield "byte-level normalizer", lambda: train(
        split(" ?[^ ]+"), texts, normalizer=normalizers.ByteLevel(), decoder=bytes_out
    )


def sentencepiece_pipelines(texts):
    fallback = [f"<0x{b:02X}>" for b in range(256)]
    sentencepiece = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=3000,
        show_progress=False,
        limit_alphabet=300,
        special_tokens=["<unk>", "<s>", "</s>", *fallback],
    )
    marks = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    words = [" " + w for t in texts for w in t.split(" ")]
    yield "llama2", lambda: train(
        None,
        words,
        normalizer=marks,
        decoder=sentencepiece,
        byte_fallback=True,
        unk_token="<unk>",
        fuse_unk=True,
        post_processor=add_bos_and_eos(),
        trainer=trainer,
    )
    for scheme in ["first", "always", "never"]:
        meta = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=scheme != "never")
        yield f"metaspace {scheme}", lambda m=meta, s=scheme: train(
            m,
            texts,
            decoder=decoders.Metaspace(prepend_scheme=s),
            byte_fallback=True,
            unk_token="<unk>",
            trainer=trainer,
        )
    yield "gemma", lambda: train(
        pre_tokenizers.Split(" ", "merged_with_previous"),
        texts,
        normalizer=normalizers.Replace(" ", "▁"),
        decoder=decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        ),
        byte_fallback=True,
        unk_token="<unk>",
        fuse_unk=True,
        trainer=trainer,
    )


def word_pipelines(texts):
    sequence = pre_tokenizers.Sequence
    unfused = trainers.BpeTrainer(
        vocab_size=2000,
        show_progress=False,
        limit_alphabet=60,
        special_tokens=["<unk>", "<s>", "</s>"],
    )
    yield "unknown tokens", lambda: train(
        pre_tokenizers.Whitespace(), texts, unk_token="<unk>", trainer=unfused
    )
    yield "fused unknown", lambda: train(
        pre_tokenizers.WhitespaceSplit(), texts, unk_token="<unk>", fuse_unk=True, trainer=unfused
    )
    yield "dropped unknown", lambda: train(
        pre_tokenizers.BertPreTokenizer(),
        texts,
        trainer=unfused,
        normalizer=normalizers.Sequence(
            [
                normalizers.Strip(),
                normalizers.NFD(),
                normalizers.StripAccents(),
                normalizers.Lowercase(),
            ]
        ),
    )
    yield "NFKC digits", lambda: train(
        sequence([pre_tokenizers.Punctuation(), pre_tokenizers.Digits()]),
        texts,
        unk_token="<unk>",
        trainer=unfused,
        normalizer=normalizers.Sequence(
            [
                normalizers.NFKC(),
                normalizers.Replace(Regex(r"\s+"), " "),
                normalizers.Strip(left=True, right=False),
            ]
        ),
    )
    for behavior in [
        "removed",
        "isolated",
        "merged_with_previous",
        "merged_with_next",
        "contiguous",
    ]:
        for invert in [False, True]:
            yield f"split {behavior} {invert}", lambda b=behavior, i=invert: train(
                split(r"[\s.\-]|\d", b, i), texts, unk_token="<unk>", trainer=unfused
            )
    yield "word boundaries", lambda: train(
        split(r"\b\w\w?\b|\W\b|[\w-]+x*|a*"), texts, unk_token="<unk>", trainer=unfused
    )
    yield "unigram", lambda: train(
        pre_tokenizers.Metaspace(),
        texts,
        model=models.Unigram(),
        decoder=decoders.Metaspace(),
        trainer=trainers.UnigramTrainer(
            vocab_size=6000,
            unk_token="<unk>",
            show_progress=False,
            special_tokens=["<unk>", "<s>", "</s>"],
        ),
    )


def pipelines(texts):
    """Names, and functions that train a tokenizer of that pipeline."""
    yield from byte_level_pipelines(texts)
    yield from sentencepiece_pipelines(texts)
    yield from word_pipelines(texts)


def add_tokens(tokenizer):
    tokenizer.add_special_tokens(
        [
            "<|im_start|>",
            "<|im_end|>",
            "<|im|>",
            AddedToken("<left>", lstrip=True, special=True),
            AddedToken("<right>", rstrip=True, special=True),
            AddedToken("<both>", lstrip=True, rstrip=True),
        ]
    )
    tokenizer.add_tokens(
        [
            AddedToken("word", single_word=True),
            AddedToken("Straße", normalized=True),
            AddedToken("    ", normalized=False),
            AddedToken("zz", normalized=False),
            AddedToken("zzz", normalized=False),
            AddedToken("naïve", single_word=True, normalized=False),
        ]
    )


SPECIAL_TEXTS = [
    "<|im_start|>user\nHi <|im_end|>",
    "<|im_start<|im|>",
    "a <left> b",
    "a   <right>   b",
    " <both> <both> ",
    "<left><right>  <left>",
    "word words sword word, wordé word_ 'word'",
    "Straße STRASSE straße",
    "a    b        c",
    "zz zzz zzzz zzzzz",
    "naïve naïvely nai\u0308ve",
    "<s>",
    "a<s>b",
    " <s> x",
    "</s><s>",
    "<unk>",
    "\u3000<left>\u2003\n<right>\u00a0\t x",
    "<|im_end|>" * 20,
    "é<right>",
    "<right>",
]


def check_llama_cpp(tool, folder, texts):
    try:
        import llama_cpp
    except ImportError:
        print("skip llama_cpp: not installed")
        return
    silent = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    for path in sorted(folder.glob("*.gguf")):
        model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
        for options in [(), ("add_special", "parse_special")]:
            wanted = [
                model.tokenize(
                    t.encode(), add_bos="add_special" in options, special="parse_special" in options
                )
                for t in texts
            ]
            found = run_tool(tool, path, texts, *options)
            compare(
                f"{path.name} llama_cpp {'+'.join(options) or 'plain'}",
                texts,
                wanted,
                [ids for ids, _ in found],
            )


def check_any_bytes(tool, path):
    generator = random.Random(11)
    blobs = [
        bytes(generator.randrange(256) for _ in range(generator.randint(1, 60))) for _ in range(500)
    ]
    blobs += [bytes([b]) for b in range(256)] + [
        b"caf\xc3 \xa9",
        b"\xf0\x9f\xa6",
        b"a\xffb \xff\xfe c",
    ]
    found = run_tool(tool, path, blobs)
    compare(f"{path.parent.name}/{path.name} any bytes", blobs, blobs, [d for _, d in found])


def main():
    tool, shared = sys.argv[1], pathlib.Path(sys.argv[2])
    wanted = re.compile(sys.argv[3] if len(sys.argv) > 3 else "")
    data = shared / "data"
    print(f"tokenizers {tokenizers.__version__}")
    nasty = nasty_texts()
    corpus = corpus_texts(data)
    has_data = (data / "tokenizers").exists()
    if not has_data:
        print("skip: no shared data")
    if has_data and wanted.search("expected ids"):
        check_expected_ids(tool, data / "tokenizers")
    if has_data and wanted.search("llama2 file"):
        check_json(
            tool,
            "llama2 file",
            data / "tokenizers" / "llama2_tokenizer.json",
            nasty + corpus,
            SPECIAL_TEXTS,
        )
    for path in sorted((shared / "models").glob("*/tokenizer.json")):
        if wanted.search(path.parent.name):
            check_json(
                tool, path.parent.name, path, nasty + corpus, ["a<|endoftext|>b", "<|endoftext|>"]
            )
            check_any_bytes(tool, path)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "tokenizer.json"
        for name, make in pipelines((corpus or nasty * 20)[:500]):
            if not wanted.search(name):
                continue
            tokenizer = make()
            tokenizer.save(str(path))
            check_json(tool, name, path, nasty + corpus[:1200:12])
            add_tokens(tokenizer)
            tokenizer.save(str(path))
            check_json(tool, name + " + added", path, nasty[::3] + corpus[:1200:40], SPECIAL_TEXTS)
    if has_data and wanted.search("llama_cpp"):
        check_llama_cpp(tool, data / "tokenizers", nasty + corpus[:1500:3])
    print(f"{NUM_COMPARED} comparisons, {len(FAILURES)} failing sections: {FAILURES}")
    sys.exit(1 if FAILURES else 0)


if __name__ == "__main__":
    main()
