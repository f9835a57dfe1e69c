import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Asks the endpoint that is named by three bodies: of known length, in chunks, and on the same connection again. */
public class Client {
    public static void main(String[] arguments) throws Exception {
        String question = "{\"query\": \"{ __typename }\"}";
        var known = BodyPublishers.ofString(question);
        var chunked = BodyPublishers.ofByteArrays(List.of(question.getBytes(StandardCharsets.UTF_8)));
        var client = HttpClient.newHttpClient();
        for (var body : List.of(known, chunked, known)) {
            var request = HttpRequest.newBuilder(URI.create(arguments[0]))
                    .header("Content-Type", "application/json")
                    .POST(body)
                    .build();
            var response = client.send(request, BodyHandlers.ofString());
            System.out.println(response.statusCode() + " " + response.body());
        }
    }
}
