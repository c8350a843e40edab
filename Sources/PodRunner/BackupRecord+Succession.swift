import PostgresDump

extension BackupRecord {
    /// Whose place the application's role takes when the backup does not know it: that of the database's owner, where objects
    /// belong to that one or to nobody; else of the only owner of objects. Nil when it is known, or when nobody can be told.
    ///
    /// - Parameter administrator: the connected role, who counts as nobody's predecessor.
    func succession(by user: String?, administrator: String?) -> RoleSuccession? {
        func isOrdinary(_ name: String) -> Bool {
            guard name != administrator, !DatabaseRole.isReserved(name) else { return false }
            return roles.roles.contains { $0.name == name && !$0.isSuperuser }
        }
        guard let user, user != administrator, user != database.owner, !DatabaseRole.isReserved(user),
            !roles.roles.contains(where: { $0.name == user }), let privileges
        else { return nil }
        let owners = privileges.owners.filter(isOrdinary)
        if isOrdinary(database.owner), owners.isEmpty || owners.contains(database.owner) {
            return RoleSuccession(from: database.owner, to: user)
        }
        guard owners.count == 1, let owner = owners.first else { return nil }
        return RoleSuccession(from: owner, to: user)
    }

    /// What it says of the predecessor said of the successor.
    func after(_ succession: RoleSuccession) -> BackupRecord {
        var record = self
        record.database = succession(database)
        record.roles = succession(roles)
        record.privileges = privileges.map { succession($0) }
        return record
    }
}
