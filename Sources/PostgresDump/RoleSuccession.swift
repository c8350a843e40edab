/// One role in the place of another: the application's role of a copy, whose Secret names another user than the original's.
///
/// Everything the backup says of the first is said of the second: what it owns, is granted, grants, may by default, belongs to.
/// So nothing of the copy belongs to the original's role, nor may that role do anything with it; and where it does not
/// exist it is not made.
public struct RoleSuccession: Sendable, Hashable {
    /// In the backup.
    public let predecessor: String
    public let successor: String

    public init(from predecessor: String, to successor: String) {
        self.predecessor = predecessor
        self.successor = successor
    }

    public func callAsFunction(_ role: String) -> String { role == predecessor ? successor : role }

    public func callAsFunction(_ closure: RoleClosure) -> RoleClosure {
        var closure = closure
        for index in closure.roles.indices { closure.roles[index].name = self(closure.roles[index].name) }
        for index in closure.memberships.indices {
            closure.memberships[index].role = self(closure.memberships[index].role)
            closure.memberships[index].member = self(closure.memberships[index].member)
        }
        return closure
    }

    public func callAsFunction(_ properties: DatabaseProperties) -> DatabaseProperties {
        var properties = properties
        properties.owner = self(properties.owner)
        properties.grants = properties.grants?.map {
            .init(grantee: self($0.grantee), privilege: $0.privilege, isGrantable: $0.isGrantable)
        }
        properties.settings = properties.settings.map { setting in
            .init(role: setting.role.map { self($0) }, name: setting.name, value: setting.value)
        }
        return properties
    }

    public func callAsFunction(_ record: PrivilegeRecord) -> PrivilegeRecord {
        var renamed = PrivilegeRecord(
            groups: record.groups.map { group in
                .init(
                    kind: group.kind, owner: group.owner.map { self($0) },
                    grants: group.grants.map {
                        .init(role: self($0.role), privilege: $0.privilege, isGrantable: $0.isGrantable)
                    }, names: group.names)
            },
            defaults: record.defaults.map { entry in
                var entry = entry
                entry.role = self(entry.role)
                // `tables of app in public`
                let whose = " of \(predecessor)"
                if let found = entry.object.firstRange(of: whose),
                    entry.object[found.upperBound...].isEmpty || entry.object[found.upperBound...].hasPrefix(" in ")
                {
                    entry.object.replaceSubrange(found, with: " of \(successor)")
                }
                return entry
            })
        renamed.isComplete = record.isComplete
        return renamed
    }
}

extension DumpStatement {
    /// The statement with the successor where it names the predecessor as owner, grantor, grantee, or whom a policy or a user
    /// mapping is for: with `quote_all_identifiers`, as `backup` has pg_dump write, each of these has one form.
    ///
    /// Source: PostgreSQL `src/bin/pg_dump/dumputils.c` `buildACLCommands`, `buildDefaultACLCommands`;
    /// `pg_backup_archiver.c` `_printTocEntry`; `pg_dump.c` `dumpPolicy`, `dumpUserMappings`.
    func naming(_ succession: RoleSuccession) -> DumpStatement {
        let (old, new) = (SQLText.identifier(succession.predecessor), SQLText.identifier(succession.successor))
        let head = head
        var statement = self
        func replaceEnd(_ starts: [String], _ ends: [String] = [";"]) {
            for start in starts {
                for end in ends where statement.text.hasSuffix("\(start)\(old)\(end)") {
                    statement.text.removeLast("\(start)\(old)\(end)".utf8.count)
                    statement.text += Array("\(start)\(new)\(end)".utf8)
                    return
                }
            }
        }
        func replaceStart(_ start: String) {
            guard statement.text.starts(with: "\(start)\(old)".utf8) else { return }
            statement.text.removeFirst("\(start)\(old)".utf8.count)
            statement.text = Array("\(start)\(new)".utf8) + statement.text
        }
        let defaults = "ALTER DEFAULT PRIVILEGES FOR ROLE "
        if head.hasPrefix("GRANT ") || head.hasPrefix("REVOKE ") || head.hasPrefix(defaults) {
            replaceStart(defaults)
            replaceEnd([" TO ", " FROM "], [";", " WITH GRANT OPTION;"])
        } else if head.hasPrefix("ALTER ") {
            replaceEnd([" OWNER TO "])
        } else if head.hasPrefix("SET role = ") {
            replaceEnd(["SET role = "])
        } else if head.hasPrefix("CREATE USER MAPPING FOR ") {
            replaceStart("CREATE USER MAPPING FOR ")
        } else if head.hasPrefix("CREATE POLICY ") {
            statement.text = statement.policy(old, new)
        }
        return statement
    }

    /// `CREATE POLICY "p" ON "public"."t" FOR SELECT TO "a", "b" USING (…);`
    private func policy(_ old: String, _ new: String) -> [UInt8] {
        // Outside quotes, up to the conditions.
        var words: [ArraySlice<UInt8>] = []
        var (position, isQuoted, start) = (text.startIndex, false, text.startIndex)
        while position < text.endIndex {
            let byte = text[position]
            if byte == 0x22 { isQuoted.toggle() }
            if !isQuoted, byte == 0x28 { break }
            if !isQuoted, [0x20, 0x2c, 0x3b, 0x0a].contains(byte) {
                if start < position { words.append(text[start..<position]) }
                start = position + 1
            }
            position += 1
        }
        guard let list = words.firstIndex(where: { $0.elementsEqual("TO".utf8) }) else { return text }
        var result = text
        for word in words[list...].reversed() where word.elementsEqual(old.utf8) {
            result.replaceSubrange(word.startIndex..<word.endIndex, with: new.utf8)
        }
        return result
    }
}

extension [UInt8] {
    fileprivate func hasSuffix(_ text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}
