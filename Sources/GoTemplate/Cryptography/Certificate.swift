internal import COpenSSL
internal import GoFormats

#if canImport(Glibc)
    import Glibc
#endif

/// An X.509 certificate of OpenSSL's.
///
/// Not `Sendable`: made, used and released within one function call.
final class Certificate {
    /// What a new certificate says.
    struct Request {
        var commonName: [UInt8]
        /// 4 or 16 bytes each.
        var addresses: [[UInt8]] = []
        var hostNames: [[UInt8]] = []
        var daysValid: Int
        var isAuthority = false
        var now: Timestamp
        /// 16 bytes.
        var serial: [UInt8]
    }

    let handle: OpaquePointer

    deinit { X509_free(handle) }

    /// Nil when the bytes are no certificate.
    init?(der bytes: [UInt8]) {
        let certificate = bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var position = buffer.baseAddress
            return d2i_X509(nil, &position, buffer.count)
        }
        guard let certificate else { return nil }
        handle = certificate
    }

    /// A certificate for `key`, signed by an authority or by itself.
    init?(_ request: Request, key: PrivateKey, authority: (certificate: Certificate, key: PrivateKey)?) {
        guard let certificate = X509_new() else { return nil }
        handle = certificate
        guard X509_set_version(certificate, 2) == 1, setSerial(request.serial), setName(request.commonName),
            X509_set_pubkey(certificate, key.handle) == 1, setValidity(request)
        else { return nil }
        let issuer =
            authority.map { X509_get_subject_name($0.certificate.handle) } ?? X509_get_subject_name(certificate)
        guard X509_set_issuer_name(certificate, issuer) == 1, addExtensions(request, authority?.certificate),
            X509_sign(certificate, (authority?.key ?? key).handle, EVP_sha256()) > 0
        else { return nil }
    }

    var pem: String? { Memory.text { PEM_write_bio_X509($0, handle) == 1 } }

    private func setSerial(_ bytes: [UInt8]) -> Bool {
        guard let number = BN_bin2bn(bytes, Int32(bytes.count), nil) else { return false }
        defer { BN_free(number) }
        guard let serial = BN_to_ASN1_INTEGER(number, nil) else { return false }
        defer { ASN1_INTEGER_free(serial) }
        return X509_set_serialNumber(handle, serial) == 1
    }

    private func setName(_ name: [UInt8]) -> Bool {
        let entry = X509_get_subject_name(handle)
        return X509_NAME_add_entry_by_txt(entry, "CN", MBSTRING_UTF8, name, Int32(clamping: name.count), -1, 0) == 1
    }

    private static let MBSTRING_UTF8: Int32 = 0x1000
    private var MBSTRING_UTF8: Int32 { Self.MBSTRING_UTF8 }

    private func setValidity(_ request: Request) -> Bool {
        let (span, overflow) = request.daysValid.multipliedReportingOverflow(by: 86_400)
        let (end, over) = Int(request.now.seconds).addingReportingOverflow(span)
        guard !overflow, !over else { return false }
        return ASN1_TIME_set(X509_getm_notBefore(handle), time_t(request.now.seconds)) != nil
            && ASN1_TIME_set(X509_getm_notAfter(handle), time_t(end)) != nil
    }

    // MARK: - Extensions

    private func addExtensions(_ request: Request, _ authority: Certificate?) -> Bool {
        // Digital signature and key encipherment; an authority also signs certificates.
        let usage: [UInt8] = request.isAuthority ? [0x02, 0xa4] : [0x05, 0xa0]
        let purposes = [[0x2b, 6, 1, 5, 5, 7, 3, 1], [0x2b, 6, 1, 5, 5, 7, 3, 2]] as [[UInt8]]
        var all: [(Int32, isCritical: Bool, [UInt8])] = [
            (NID_key_usage, true, DER.value(0x03, usage)),
            (NID_ext_key_usage, false, DER.value(0x30, purposes.flatMap { DER.value(0x06, $0) })),
            (NID_basic_constraints, true, DER.value(0x30, request.isAuthority ? [0x01, 0x01, 0xff] : [])),
        ]
        if request.isAuthority {
            all.append((NID_subject_key_identifier, false, DER.value(0x04, keyIdentifier)))
        }
        if let authority {
            all.append(
                (NID_authority_key_identifier, false, DER.value(0x30, DER.value(0x80, authority.keyIdentifier))))
        }
        let names =
            request.hostNames.flatMap { DER.value(0x82, $0) } + request.addresses.flatMap { DER.value(0x87, $0) }
        if !names.isEmpty { all.append((NID_subject_alt_name, false, DER.value(0x30, names))) }
        return all.allSatisfy { add($0.0, isCritical: $0.isCritical, $0.2) }
    }

    /// SHA-1 of the public key.
    private var keyIdentifier: [UInt8] {
        var out = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard X509_pubkey_digest(handle, EVP_sha1(), &out, &length) == 1 else { return [] }
        return Array(out.prefix(Int(length)))
    }

    private func add(_ kind: Int32, isCritical: Bool, _ bytes: [UInt8]) -> Bool {
        guard let data = ASN1_OCTET_STRING_new() else { return false }
        defer { ASN1_OCTET_STRING_free(data) }
        guard ASN1_OCTET_STRING_set(data, bytes, Int32(clamping: bytes.count)) == 1,
            let item = X509_EXTENSION_create_by_NID(nil, kind, isCritical ? 1 : 0, data)
        else { return false }
        defer { X509_EXTENSION_free(item) }
        return X509_add_ext(handle, item, -1) == 1
    }
}

/// The little of ASN.1's distinguished encoding that extensions need.
enum DER {
    static func value(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        if content.count < 128 { return [tag, UInt8(content.count)] + content }
        var length: [UInt8] = []
        var rest = content.count
        while rest > 0 {
            length.insert(UInt8(rest & 255), at: 0)
            rest >>= 8
        }
        return [tag, 0x80 | UInt8(length.count)] + length + content
    }
}
