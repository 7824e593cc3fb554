Feature: Workflows that run workflows
  `run: workflow` begins another execution. Awaited, its output is the task's output and its error the task's error;
  not awaited, the task goes on at once with its own input.

  Scenario: The output of the other workflow is the task's
    Given a workflow that says:
      """yaml
      do:
        - ask:
            run:
              workflow:
                namespace: features
                name: double
                version: 1.0.0
                input: {n: '${ .n }'}
            output: {as: '{doubled: .}'}
      """
    And another workflow 'double' that says:
      """yaml
      input: {from: .n}
      do:
        - multiply: {set: '${ . * 2 }'}
      """
    And the workflow input is:
      """yaml
      n: 21
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      doubled: 42
      """
    And the tasks should run in order ask

  Scenario: Without an input the other workflow is given the task's
    Given a workflow that says:
      """yaml
      do:
        - ask:
            input: {from: .n}
            run: {workflow: {namespace: features, name: echo, version: 1.0.0}}
      """
    And another workflow 'echo' that says:
      """yaml
      do:
        - say: {set: {heard: '${ . }', context: '${ $context }'}}
      """
    And the workflow input is:
      """yaml
      n: 21
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      {heard: 21, context: 21}
      """
    And the tasks should run in order ask

  @decision-16
  Scenario: latest is the newest version that there is
    Given a workflow that says:
      """yaml
      do:
        - ask: {run: {workflow: {namespace: features, name: greet, version: latest}}}
      """
    And another workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: features, name: greet, version: '1.0.0'}
      do: [{say: {set: {version: 1}}}]
      """
    And another workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: features, name: greet, version: '2.0.0'}
      do: [{say: {set: {version: 2}}}]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      version: 2
      """
    And the tasks should run in order ask

  Scenario: What is not awaited does not hold the workflow up
    Given a workflow that says:
      """yaml
      do:
        - start:
            run:
              workflow: {namespace: features, name: slow, version: 1.0.0, input: {}}
              await: false
        - after: {set: {went: '${ .n }'}}
      """
    And another workflow 'slow' that says:
      """yaml
      do:
        - pause: {wait: P1D}
      """
    And the workflow input is:
      """yaml
      n: 1
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      went: 1
      """
    And the tasks should run in order start, after
    And the workflow should take PT0S

  Scenario: The error of the other workflow is the task's, at the task's own place
    Given a workflow that says:
      """yaml
      do:
        - ask: {run: {workflow: {namespace: features, name: refuse, version: 1.0.0}}}
      """
    And another workflow 'refuse' that says:
      """yaml
      do:
        - deep:
            do:
              - no: {raise: {error: {type: 'https://shop.example/errors/closed', status: 409, title: Closed}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://shop.example/errors/closed
      status: 409
      title: Closed
      instance: /do/0/ask
      """
    And the tasks should run in order ask

  Scenario: The error of the other workflow can be caught and tried again
    Given a workflow that says:
      """yaml
      do:
        - guarded:
            try:
              - ask: {run: {workflow: {namespace: features, name: refuse, version: 1.0.0}}}
            catch:
              errors: {with: {status: 409}}
              retry: {delay: PT1S, limit: {attempt: {count: 2}}}
              do:
                - give: {set: {up: '${ $error.title }'}}
      """
    And another workflow 'refuse' that says:
      """yaml
      do:
        - pause: {wait: PT10S}
        - no: {raise: {error: {type: 'https://shop.example/errors/closed', status: 409, title: Closed}}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      up: Closed
      """
    And the tasks should run in order guarded, ask, ask, ask, give
    And the workflow should take PT32S

  Scenario: A workflow that does not exist is a configuration error
    Given a workflow that says:
      """yaml
      do:
        - ask: {run: {workflow: {namespace: features, name: nobody, version: 1.0.0}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/configuration
      status: 400
      instance: /do/0/ask
      """
    And the error's detail should mention 'features/nobody:1.0.0'
    And the tasks should run in order ask

  Scenario: A timeout on the task ends the waiting for the other workflow
    Given a workflow that says:
      """yaml
      do:
        - ask:
            run: {workflow: {namespace: features, name: slow, version: 1.0.0}}
            timeout: {after: PT1M}
      """
    And another workflow 'slow' that says:
      """yaml
      do:
        - pause: {wait: P1D}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
      status: 408
      instance: /do/0/ask
      """
    And the tasks should run in order ask
    And the workflow should take PT1M

  Scenario: Several at once, each with its own
    Given a workflow that says:
      """yaml
      do:
        - both:
            fork:
              branches:
                - two: {run: {workflow: {namespace: features, name: pause, version: 1.0.0, input: {for: PT2M}}}}
                - one: {run: {workflow: {namespace: features, name: pause, version: 1.0.0, input: {for: PT1M}}}}
      """
    And another workflow 'pause' that says:
      """yaml
      do:
        - pause: {wait: '${ .for }'}
        - say: {set: {waited: '${ $workflow.input.for }'}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - {waited: PT2M}
      - {waited: PT1M}
      """
    And the tasks should run in order both, two, one
    And the workflow should take PT2M

  Scenario: Workflows can talk to each other by events
    Given a workflow that says:
      """yaml
      do:
        - both:
            fork:
              branches:
                - other: {run: {workflow: {namespace: features, name: answer, version: 1.0.0, input: {}}}}
                - talk:
                    do:
                      - ask: {emit: {event: {with: {type: question, data: {n: 20}}}}}
                      - hear: {listen: {to: {one: {with: {type: reply}}}}}
      """
    And another workflow 'answer' that says:
      """yaml
      do:
        - hear: {listen: {to: {one: {with: {type: question}}}}}
        - reply: {emit: {event: {with: {type: reply, data: '${ .[0].n + 1 }'}}}, output: {as: .data}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      - 21
      - [21]
      """
    And the tasks should run in order both, other, talk, ask, hear
