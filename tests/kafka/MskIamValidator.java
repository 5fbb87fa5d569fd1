import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import javax.security.auth.callback.Callback;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

/**
 * Accepts the tokens of Amazon MSK, as its brokers do: a presigned request as Base64, whose signature this class computes again
 * by the documentation of Signature Version 4. The properties of the JVM have the region and the secret of all access keys; a
 * session token says until when it is valid.
 */
public final class MskIamValidator implements AuthenticateCallbackHandler {
    private static final String REGION = System.getProperty("msk.region");
    private static final String SECRET = System.getProperty("msk.secret");
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

    @Override
    public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {}

    @Override
    public void close() {}

    @Override
    public void handle(Callback[] callbacks) {
        for (Callback callback : callbacks) {
            if (callback instanceof OAuthBearerValidatorCallback validation) {
                try {
                    validation.token(validated(validation.tokenValue()));
                } catch (Exception refused) {
                    System.err.println("refused: " + refused);
                    validation.error("Access denied", null, null);
                }
            }
        }
    }

    private static OAuthBearerToken validated(String token) throws Exception {
        URI uri = URI.create(new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8));
        String host = "kafka." + REGION + ".amazonaws.com";
        demand(uri.getScheme().equals("https") && uri.getHost().equals(host) && uri.getPath().equals("/"), "the URL");
        TreeMap<String, String> raw = new TreeMap<>();
        for (String pair : uri.getRawQuery().split("&")) {
            String[] parts = pair.split("=", 2);
            demand(raw.put(parts[0], parts[1]) == null, "one value for each parameter");
        }
        String signature = raw.remove("X-Amz-Signature");
        demand(decoded(raw.remove("User-Agent")).startsWith("trusthub-bridge/"), "the user agent");
        demand(decoded(raw.get("Action")).equals("kafka-cluster:Connect"), "the action");
        demand(raw.get("X-Amz-SignedHeaders").equals("host"), "the signed headers");
        String time = raw.get("X-Amz-Date");
        String[] credential = decoded(raw.get("X-Amz-Credential")).split("/", 2);
        String scope = time.substring(0, 8) + "/" + REGION + "/kafka-cluster/aws4_request";
        demand(credential[1].equals(scope), "the scope " + scope);

        String query = raw.entrySet().stream().map(e -> e.getKey() + "=" + e.getValue()).collect(Collectors.joining("&"));
        String request = "GET\n/\n" + query + "\nhost:" + host + "\n\nhost\n" + hash("");
        String text = "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n" + hash(request);
        byte[] key = ("AWS4" + SECRET).getBytes(StandardCharsets.UTF_8);
        for (String part : scope.split("/")) {
            key = hmac(key, part);
        }
        demand(HexFormat.of().formatHex(hmac(key, text)).equals(signature), "the signature");

        long now = System.currentTimeMillis();
        long signed = Instant.from(TIME.parse(time)).toEpochMilli();
        long expires = signed + 1000 * Long.parseLong(raw.get("X-Amz-Expires"));
        demand(Math.abs(now - signed) < 900_000 && now < expires, "a time around " + time);
        String session = raw.get("X-Amz-Security-Token");
        if (session != null) {
            demand(now < Long.parseLong(decoded(session).replaceAll("\\D", "")), "a session that did not expire");
        }
        return new Token(token, signed, expires, credential[0]);
    }

    private static void demand(boolean isMet, String what) {
        if (!isMet) {
            throw new IllegalArgumentException("demands " + what);
        }
    }

    private static String decoded(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }

    private static String hash(String text) throws Exception {
        return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static byte[] hmac(byte[] key, String text) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }

    private record Token(String value, long signed, long lifetimeMs, String principalName) implements OAuthBearerToken {
        @Override
        public Set<String> scope() {
            return Set.of();
        }

        @Override
        public Long startTimeMs() {
            return signed;
        }
    }
}
