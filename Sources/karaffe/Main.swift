import KaraffeCommands

@main
struct Main {
    static func main() async { await Karaffe.main() }
}
