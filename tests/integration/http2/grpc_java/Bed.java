// SPDX-License-Identifier: Apache-2.0
// grpc-java as a server and as a client of the bed; ../README.md says what they do.
// usage: Bed serve PORT NEXT_PORT HOW | Bed call PORT CONCURRENCY < PLAN
import java.util.List;

final class Bed {
  public static void main(String[] args) throws Exception {
    if (args[0].equals("serve")) {
      new Server(args[2], args[3]).serve(args[1]);
    } else {
      List<String> plan = new String(System.in.readAllBytes()).lines().toList();
      Client.callAll(args[1], Integer.parseInt(args[2]), plan);
    }
  }

  private Bed() {}
}
