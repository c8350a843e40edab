import KopiaRepository
import PostgresDump
import RunnerContract
import Secrets
import Testing

@testable import PodRunner

@Suite struct ProfileTests {
    private static let full = #"""
        {"Location":{"type":"filesystem","bucket":"/b","endpoint":"","prefix":"","region":""},"Credential":{"Type":"kopia","KeyPair":null,"Secret":null,"KopiaServerSecret":{"Username":"u","Hostname":"h","Password":"hidden-word","Cert":"c","ConnectOptions":{"x":1}}},"SkipSSLVerify":false}
        """#

    @Test func whatToJsonRendersIsRead() throws {
        let profile = try Profile(parsing: Self.full)
        #expect(profile.type == "filesystem")
        #expect(profile.bucket == "/b")
        #expect(profile.userName == "u")
        #expect(profile.host == "h")
        #expect(profile.password == Secret("hidden-word"))
    }

    @Test func namesAreMatchedWithoutCaseAndUnknownOnesIgnored() throws {
        let text =
            #"{"LOCATION":{"Type":"filesystem","BUCKET":"/b","new":1},"credential":{"kopiaserversecret":{"password":"p"}},"z":[]}"#
        let profile = try Profile(parsing: text)
        #expect(profile.bucket == "/b")
        #expect(profile.password == Secret("p"))
    }

    @Test func noPrintingShowsThePassword() throws {
        let profile = try Profile(parsing: Self.full)
        var dumped = ""
        dump(profile, to: &dumped)
        for text in ["\(profile)", String(describing: profile), String(reflecting: profile), dumped] {
            #expect(!text.contains("hidden-word"))
        }
        let access = try RepositoryAccessPoint(profile: profile, identity: nil)
        dumped = ""
        dump(access, to: &dumped)
        for text in ["\(access)", String(reflecting: access), dumped] { #expect(!text.contains("hidden-word")) }
    }

    @Test func aTextThatIsNoJSONIsNotRepeated() async throws {
        let world = try World()
        let outcome = await world.run(["snapshot", "list", "--profile", #"{"Password":"hidden-word""#])
        #expect(outcome.code == 3)
        #expect(!outcome.errors.contains("hidden-word"))
        #expect(outcome.errors.contains("hint: --profile takes JSON, @FILE or env:NAME"))
    }

    @Test func thePrefixIsAFolderBelowTheBucket() throws {
        let text =
            #"{"Location":{"type":"filesystem","bucket":"/b","prefix":"p/q"},"Credential":{"KopiaServerSecret":{"Password":"x"}}}"#
        let access = try RepositoryAccessPoint(profile: Profile(parsing: text), identity: nil)
        #expect(access.location.description == "file:///b/p/q")
        #expect(access.identity == RepositoryAccessPoint.defaultIdentity)
    }

    struct Failure: Sendable, CustomTestStringConvertible {
        let id: String
        let text: String
        let message: String
        var testDescription: String { id }
    }

    @Test(arguments: [
        Failure(
            id: "no bucket", text: #"{"Location":{"type":"filesystem"}}"#,
            message: "the profile of type filesystem has no bucket, which is the repository's folder"),
        Failure(
            id: "no password", text: #"{"Location":{"type":"filesystem","bucket":"/b"}}"#,
            message: "the profile has no Credential.KopiaServerSecret.Password, which is the repository's password"),
        Failure(
            id: "unknown type", text: #"{"Location":{"type":"ftp"}}"#,
            message: "Unsupported Location type: ftp"),
        Failure(
            id: "objects", text: #"{"Location":{"type":"azure","bucket":"b"}}"#,
            message: "a profile of location type azure names plain objects, and this needs a repository"),
        Failure(id: "a list", text: "[]", message: "Unsupported Location type: the profile has none"),
    ])
    func incompleteProfiles(_ item: Failure) {
        let error = #expect(throws: PodRunnerError.self) {
            try RepositoryAccessPoint(profile: Profile(parsing: item.text), identity: nil)
        }
        #expect(error?.message == item.message)
        #expect(error?.exitCode == .input)
    }
}
