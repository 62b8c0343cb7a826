"""Globs as dorny/paths-filter reads them, held against the real picomatch."""

import pytest

from opslib.errors import Unreachable
from opslib.probes.delivery_globs import matches, readable
from tests import picomatch

PATTERNS = [
    *("src/**", "public/**", "blueprint/infra/backend/services/opportunity/**", "index.html", "package.json"),
    *("*.md", "**/*.md", "**", "*", "**/*", "docs/*", "docs/**/*.md", "**/test/**", "a/**/b", "**/package.json"),
    *("!docs/**", "!**/*.md", "!src/**/*.test.ts", "!!src/**", "./src/**", "tsconfig*.json", "vite.config.?s"),
    *("src/?ain.ts", "src/[am]*.ts", "src/[!m]*.ts", "src/[a-c]pp.ts", "src/*.{ts,tsx}", "{src,public}/**"),
    *("src/**/*.{js,ts}", "{package,package-lock}.json", "k8s/{a..c}.yaml", "v{1..3}/*", "src/**.ts", "foo**"),
    *("src/!(main).ts", "src/!(*.test).ts", "src/@(main|app).ts", "src/+(a|b).ts", "src/?(m)ain.ts", "src/*(x).ts"),
    *(".github/**", ".github/workflows/*.yml", ".*", "**/.env*", "src/*/index.ts", "src/**/index.ts", "**/src/**"),
    *(
        "Dockerfile*",
        "**/Dockerfile",
        "SRC/**",
        "src/a\\*b.ts",
        "docs",
        "docs/",
        "src/*",
        "*/*",
        "*/**",
        "infrastructure/**",
    ),
    *(
        "src/*/**",
        "src/?/**",
        "src/a*/**",
        "src/{a,b}/**",
        "**/**",
        "**/*/**",
        "!(docs)/**",
        "src/!(main)",
        "src/!(a*).ts",
        "src/[^m]*.ts",
    ),
    *(
        "**/*.{md,png}",
        "src/**/*",
        "*.{json,html}",
        "**/.*",
        "a/**",
        "**/b",
        "**/a/**/b",
        "x*/**/b",
        "docs/*.*",
        "?ocs/**",
    ),
]
PATHS = [
    *(
        "src/main.ts",
        "src/app.ts",
        "src/Main.ts",
        "src/a/index.ts",
        "src/index.ts",
        "src/a/b/index.ts",
        "src/main.test.ts",
    ),
    *("src/a/x.test.ts", "src/.hidden", "src/.dir/x.ts", "src/a*b.ts", "src/aab.ts", "src", "src/x.tsx", "src/.ts"),
    *("public/logo.svg", "index.html", "package.json", "package-lock.json", "web/package.json", "README.md", ".md"),
    *("docs/guide.md", "docs/a/b.md", "docs/image.png", "docs", "blueprint/infra/backend/services/opportunity/main.py"),
    *("blueprint/infra/backend/services/opportunity/.env", "blueprint/infra/backend/services/opportunity2/main.py"),
    *("vite.config.ts", "vite.config.js", "tsconfig.json", "tsconfig.node.json", ".github/workflows/ci.yml"),
    *(".github/workflows/deploy.yaml", ".env", ".env.local", "a/b", "a/x/b", "a/x/y/b", "x/a/b", "test/a", "a/test/b"),
    *("Dockerfile", "Dockerfile.dev", "api/Dockerfile", "k8s/a.yaml", "k8s/d.yaml", "v2/x", "v4/x", "foo", "foobar"),
    *(
        "foo/bar",
        "infrastructure/main.tf",
        "lib/src/x.ts",
        "größe/ä.md",
        "a b/c d.ts",
        "src/x/y/z/deep.js",
        "src/ab.ts",
    ),
]


@picomatch.needed
def test_each_pattern_says_of_each_path_what_picomatch_says():
    said = picomatch.says(PATTERNS, PATHS)
    other = [
        f"{pattern} on {path}: picomatch says {fits}"
        for pattern, row in zip(PATTERNS, said, strict=True)
        for path, fits in zip(PATHS, row, strict=True)
        if matches(pattern, path) is not fits
    ]
    assert other == []
    assert len(PATTERNS) * len(PATHS) >= 200
    assert sum(fits for row in said for fits in row) > 500


def test_a_lone_negation_is_everything_else():
    assert matches("!docs/**", "src/main.ts")
    assert not matches("!docs/**", "docs/a/b.md")


@pytest.mark.parametrize(
    "pattern",
    ["", "(a|b)", "a)", "{a}", "{a,b", "[a", "{1..10}", "[[:alpha:]]", "**/a" * 7, "a***", "x\\", "a\nb", "a" * 501],
)
def test_what_is_not_read_here_is_refused_and_not_guessed(pattern):
    assert not readable(pattern)
    with pytest.raises(Unreachable) as told:
        matches(pattern, "src/main.ts")
    assert told.value.kind == "unreadable"
