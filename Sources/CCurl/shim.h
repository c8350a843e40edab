#pragma once
/* libcurl's setopt and getinfo are variadic, which Swift does not import. These wrappers give each a type; the names of
 * options stay libcurl's. Also two callbacks that need the types of other headers. */
#include <curl/curl.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/socket.h>

typedef size_t (*karaffe_data_callback)(char *, size_t, size_t, void *);
typedef int (*karaffe_seek_callback)(void *, curl_off_t, int);

static inline CURLcode karaffe_setopt_long(CURL *handle, CURLoption option, long value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode karaffe_setopt_offset(CURL *handle, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(handle, option, value);
}
/* libcurl copies the string. */
static inline CURLcode karaffe_setopt_string(CURL *handle, CURLoption option, const char *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode karaffe_setopt_pointer(CURL *handle, CURLoption option, void *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode karaffe_setopt_list(CURL *handle, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(handle, option, value);
}
static inline CURLcode karaffe_setopt_data(CURL *handle, CURLoption option, karaffe_data_callback callback) {
    return curl_easy_setopt(handle, option, callback);
}
static inline CURLcode karaffe_setopt_seek(CURL *handle, karaffe_seek_callback callback) {
    return curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, callback);
}
/* libcurl copies the bytes. */
static inline CURLcode karaffe_setopt_blob(CURL *handle, CURLoption option, const void *bytes, size_t count) {
    struct curl_blob blob = {(void *)bytes, count, CURL_BLOB_COPY};
    return curl_easy_setopt(handle, option, &blob);
}
static inline CURLcode karaffe_getinfo_long(CURL *handle, CURLINFO info, long *value) {
    return curl_easy_getinfo(handle, info, value);
}
static inline CURLcode karaffe_getinfo_offset(CURL *handle, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(handle, info, value);
}
static inline CURLMcode karaffe_multi_setopt_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}
/* The union inside CURLMsg, read where it is valid: for CURLMSG_DONE. */
static inline CURLcode karaffe_message_result(const CURLMsg *message) { return message->data.result; }

/* Sockets that children do not inherit: libcurl 7.88 leaves them open across exec. */
static inline curl_socket_t karaffe_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)context;
    (void)purpose;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}
static inline CURLcode karaffe_set_open_socket(CURL *handle) {
    return curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, karaffe_open_socket);
}

/* Accepts exactly the leaf certificate whose SHA-256 is the 32 bytes at `pin`, and looks at nothing else: neither
 * chain, nor names, nor dates. */
static inline int karaffe_verify_pin(X509_STORE_CTX *store, void *pin) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    if (leaf && X509_digest(leaf, EVP_sha256(), digest, &length) == 1 && length == 32 &&
        memcmp(digest, pin, 32) == 0)
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}
static inline CURLcode karaffe_ssl_context(CURL *handle, void *context, void *pin) {
    (void)handle;
    SSL_CTX_set_cert_verify_callback((SSL_CTX *)context, karaffe_verify_pin, pin);
    return CURLE_OK;
}
/* `pin` must stay valid as long as connections of the handle's multi may be opened. */
static inline CURLcode karaffe_set_pin(CURL *handle, void *pin) {
    CURLcode code = curl_easy_setopt(handle, CURLOPT_SSL_CTX_FUNCTION, karaffe_ssl_context);
    return code != CURLE_OK ? code : curl_easy_setopt(handle, CURLOPT_SSL_CTX_DATA, pin);
}
