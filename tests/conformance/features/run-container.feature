Feature: Containers
  `run: container` runs one container to its end. It is off until an operator allows it. A container may outlive any
  invocation: the execution waits for it as it waits for a timer, and no process is held.

  Scenario: What a container prints is the task's output
    Given a workflow that says:
      """yaml
      do:
        - greet: {run: {container: {image: hello-world}}}
      """
    And the operator allows container
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      "Hello from Docker!\n"
      """
    And no containers should be left
    And the tasks should run in order greet

  Scenario: Containers are refused until an operator allows them
    Given a workflow that says:
      """yaml
      do:
        - greet: {run: {container: {image: hello-world}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/authorization
      status: 403
      instance: /do/0/greet
      """
    And the error's detail should mention 'LOWTIDE_ALLOW_CONTAINER'
    And the tasks should run in order greet

  Scenario: A command is a text for the image's shell, its arguments are $1 and so on
    Given a workflow that says:
      """yaml
      do:
        - tell:
            run:
              container:
                image: alpine
                command: 'read line; echo "$line $1 $2 $WHO"'
                stdin: ${ .greeting }
                arguments: ['${ .first }', 'two words']
                environment: {WHO: '${ .who }'}
      """
    And the workflow input is:
      """yaml
      {greeting: hello, first: 1, who: Ada}
      """
    And the operator allows container
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      "hello 1 two words Ada\n"
      """
    And the tasks should run in order tell

  Scenario: Without a command the arguments go to the program of the image
    Given a workflow that says:
      """yaml
      do:
        - say: {run: {container: {image: cat, stdin: '{"n":1}', arguments: [done]}}}
      """
    And the operator allows container
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      '{"n":1}done

      '
      """
    And the tasks should run in order say

  Scenario: An exit code other than 0 is a runtime error
    Given a workflow that says:
      """yaml
      do:
        - fail: {run: {container: {image: alpine, command: 'echo why >&2; exit 3'}}}
      """
    And the operator allows container
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/runtime
      status: 500
      detail: 'the container ended with exit code 3: why'
      instance: /do/0/fail
      """
    And no containers should be left
    And the tasks should run in order fail

  Scenario: What asks for the exit code gets it
    Given a workflow that says:
      """yaml
      do:
        - all: {run: {container: {image: alpine, command: 'echo out; echo err >&2; exit 3'}, return: all}, export: {as: '{all: .}'}}
        - code: {run: {container: {image: alpine, command: exit 4}, return: code}, export: {as: '$context + {code: .}'}}
        - stderr: {run: {container: {image: alpine, command: 'echo err >&2; exit 5'}, return: stderr}, export: {as: '$context + {stderr: .}'}}
        - none: {run: {container: {image: alpine, command: echo out}, return: none}, export: {as: '$context + {none: .}'}}
        - show: {set: '${ $context }'}
      """
    And the operator allows container
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      all: {code: 3, stdout: "out\n", stderr: "err\n"}
      code: 4
      stderr: "err\n"
      none: null
      """
    And the tasks should run in order all, code, stderr, none, show

  Scenario: A container that is not awaited is started and forgotten
    Given a workflow that says:
      """yaml
      do:
        - begin: {run: {container: {image: slow}, await: false}}
      """
    And the workflow input is:
      """yaml
      {n: 1}
      """
    And the operator allows container
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {n: 1}
      """
    And the tasks should run in order begin

  Scenario: A task that takes too long takes its container with it
    Given a workflow that says:
      """yaml
      do:
        - slowly: {run: {container: {image: slow}}, timeout: {after: PT1S}}
      """
    And the operator allows container
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      {status: 408, instance: /do/0/slowly}
      """
    And no containers should be left
    And the tasks should run in order slowly

  Scenario: The loser of a race is ended
    Given a workflow that says:
      """yaml
      do:
        - race:
            fork:
              compete: true
              branches:
                - slow: {run: {container: {image: slow}}}
                - quick: {run: {container: {image: hello-world}}}
      """
    And the operator allows container
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      "Hello from Docker!\n"
      """
    And no containers should be left
    And the tasks should run in order race, slow, quick

  Scenario: What may stay does
    Given a workflow that says:
      """yaml
      do:
        - kept: {run: {container: {image: hello-world, lifetime: {cleanup: never}}}}
        - later: {run: {container: {image: hello-world, lifetime: {cleanup: eventually, after: PT1H}}}}
        - gone: {run: {container: {image: hello-world, lifetime: {cleanup: always}}}}
      """
    And the operator allows container
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      "Hello from Docker!\n"
      """
    And 2 containers should be left
    And the tasks should run in order kept, later, gone

  Scenario: An image that nobody gives can be caught
    Given a workflow that says:
      """yaml
      do:
        - attempt:
            try:
              - run: {run: {container: {image: no/such}}}
            catch:
              errors: {with: {type: https://open-workflow-specification.org/spec/1.0.0/errors/communication}}
              do:
                - instead: {set: {pulled: false}}
      """
    And the operator allows container
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {pulled: false}
      """
    And the tasks should run in order attempt, run, instead

  Scenario: Folders of the machine are never mounted
    Given a workflow that says:
      """yaml
      do:
        - look: {run: {container: {image: alpine, command: ls /etc, volumes: {/etc: /etc}}}}
      """
    And the operator allows container
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/configuration
      status: 400
      instance: /do/0/look
      """
    And the tasks should run in order look
