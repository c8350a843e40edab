import Blueprints
import Diagnostics
import Testing

/// What lies in the repository: its top level, its blueprints, the links of its pages.
struct RepositoryTests {
    @Test func topLevelHoldsOnlyWhatBelongsThere() {
        let allowed: Set<String> = [
            "Package.swift", "Makefile", "README.md", "ARCHITECTURE.md", "Sources", "Tests", "Benchmarks", "blueprints",
            "examples", "Package.resolved",
        ]
        let strangers = Repository.names(in: "").filter { !$0.hasPrefix(".") && !allowed.contains($0) }
        #expect(strangers == [])
    }

    static let manifests = ["blueprints", "examples"].flatMap { folder in
        Repository.files(under: folder, endingWith: ".yaml") + Repository.files(under: folder, endingWith: ".yml")
    }
    // Tests of blueprints and what they compare with are no manifests; `TestCommandTests` runs them.
    .filter { !$0.hasSuffix(".test.yaml") && !$0.contains("/snapshots/") }

    @Test func thereAreBlueprintsAndExamples() {
        #expect(Self.manifests.contains { $0.hasPrefix("blueprints/") })
        #expect(Self.manifests.contains { $0.hasPrefix("examples/") })
    }

    @Test(arguments: manifests) func manifestsAreReadWithoutErrors(_ path: String) {
        let source = SourceFile(name: path, bytes: Repository.bytes(path))
        let (manifests, diagnostics) = readManifests(source)
        let errors = diagnostics.filter { $0.severity == .error }
        #expect(errors.isEmpty, "\(DiagnosticRenderer(sources: [source]).render(errors))")
        #expect(!manifests.isEmpty)
    }

    static let pages =
        ["README.md", "ARCHITECTURE.md"].filter { Repository.exists($0) }
        + ["Sources", "Tests", "Benchmarks", "blueprints", "examples"].flatMap {
            Repository.files(under: $0, endingWith: ".md")
        }

    @Test(.enabled(if: Repository.exists("README.md"), "there is no README.md yet"), arguments: pages)
    func relativeLinksLeadSomewhere(_ page: String) {
        let folder = page.split(separator: "/").dropLast().map(String.init)
        let broken = Self.links(in: Repository.lines(page)).filter { link in
            var parts = link.hasPrefix("/") ? [] : folder
            for part in link.split(separator: "/") {
                if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(String(part)) }
            }
            return !Repository.exists(parts.joined(separator: "/"))
        }
        #expect(broken == [])
    }

    /// Targets of `[text](target)` outside of code that are neither addresses nor places on the same page.
    static func links(in lines: [String]) -> [String] {
        var links: [String] = []
        var isCode = false
        for line in lines {
            if line.drop(while: { $0 == " " }).hasPrefix("```") { isCode.toggle() }
            guard !isCode else { continue }
            // Code in a line stands between backquotes: every second piece.
            for (position, piece) in line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            where position % 2 == 0 {
                links += targets(in: String(piece))
            }
        }
        return links
    }

    private static func targets(in text: String) -> [String] {
        var rest = Array(text.unicodeScalars)[...]
        var found: [String] = []
        while let close = rest.indices.first(where: { rest[$0] == "]" && rest[$0...].dropFirst().first == "(" }) {
            let target = rest[(close + 2)...].prefix { $0 != ")" && $0 != "#" && $0 != " " }
            rest = rest[(close + 2)...]
            let link = String(String.UnicodeScalarView(target))
            let isAddress = link.hasPrefix("http://") || link.hasPrefix("https://") || link.hasPrefix("mailto:")
            if !link.isEmpty, !isAddress { found.append(link) }
        }
        return found
    }

    @Test func linksAreFoundOutsideOfCodeOnly() {
        let lines = ["a [b](c.md) `[d](e)` [f](#g) [h](i.md#j)", "```", "[k](l)", "```", "[m](https://n) [`o`](p.md)"]
        #expect(Self.links(in: lines) == ["c.md", "i.md", "p.md"])
    }
}
