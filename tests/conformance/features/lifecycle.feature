Feature: Lifecycle events
  What becomes of a workflow and of its tasks is published as the CloudEvents of the standard: those of workflows by
  default, those of tasks where the deployment or the document asks for them, the optional status changes likewise.

  @decision-18
  Scenario: A workflow tells that it started
    Given a workflow that says:
      """yaml
      do:
        - hello: {set: {greeting: hi}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      greeting: hi
      """
    And the tasks should run in order hello
    And the lifecycle event 'workflow.started' should have data:
      """yaml
      definition: {name: sample, namespace: features, version: 1.0.0}
      """

  Scenario: A workflow tells that it completed, and with what
    Given a workflow that says:
      """yaml
      do:
        - hello: {set: {greeting: hi}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      greeting: hi
      """
    And the tasks should run in order hello
    And the lifecycle event 'workflow.completed' should have data:
      """yaml
      output: {greeting: hi}
      """

  Scenario: A workflow tells that it faulted, and why
    Given a workflow that says:
      """yaml
      do:
        - stop: {raise: {error: {type: 'https://example.com/errors/closed', status: 409, title: Closed}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 409
      """
    And the tasks should run in order stop
    And the lifecycle event 'workflow.faulted' should have data:
      """yaml
      error: {type: 'https://example.com/errors/closed', status: 409, title: Closed, instance: /do/0/stop}
      """

  Scenario: A workflow tells that it was cancelled
    Given a workflow that says:
      """yaml
      do:
        - nap: {wait: {seconds: 10}}
      """
    And the workflow is cancelled after PT2S
    When the workflow is executed
    Then the workflow should cancel
    And the tasks should run in order nap
    And the lifecycle event 'workflow.cancelled' should have data:
      """yaml
      {}
      """

  Scenario: A workflow tells that it was suspended
    Given a workflow that says:
      """yaml
      do:
        - nap: {wait: {seconds: 10}}
      """
    And the workflow is suspended after PT2S for PT5S
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      null
      """
    And the tasks should run in order nap
    And the lifecycle event 'workflow.suspended' should have data:
      """yaml
      {}
      """

  Scenario: A workflow tells that it was resumed
    Given a workflow that says:
      """yaml
      do:
        - nap: {wait: {seconds: 10}}
      """
    And the workflow is suspended after PT2S for PT5S
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      null
      """
    And the tasks should run in order nap
    And the lifecycle event 'workflow.resumed' should have data:
      """yaml
      {}
      """

  Scenario: A workflow tells that it began to correlate events
    Given a workflow that says:
      """yaml
      do:
        - paid:
            listen:
              to:
                one:
                  with: {type: payment.received}
                  correlate:
                    order: {from: .data.order}
      """
    And these events occur:
      """yaml
      - {type: payment.received, data: {order: A-17}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [{order: A-17}]
      """
    And the tasks should run in order paid
    And the lifecycle event 'workflow.correlation-started' should have data:
      """yaml
      {}
      """

  Scenario: A workflow tells that it has what it correlated, and by which keys
    Given a workflow that says:
      """yaml
      do:
        - paid:
            listen:
              to:
                one:
                  with: {type: payment.received}
                  correlate:
                    order: {from: .data.order}
      """
    And these events occur:
      """yaml
      - {type: payment.received, data: {order: A-17}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [{order: A-17}]
      """
    And the tasks should run in order paid
    And the lifecycle event 'workflow.correlation-completed' should have data:
      """yaml
      correlationKeys: {order: A-17}
      """

  Scenario: A task tells that it was created
    Given a workflow that says:
      """yaml
      do:
        - hello: {set: {greeting: hi}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      greeting: hi
      """
    And the tasks should run in order hello
    And the lifecycle event 'task.created' should have data:
      """yaml
      task: /do/0/hello
      """

  Scenario: A task tells that it started
    Given a workflow that says:
      """yaml
      do:
        - hello: {set: {greeting: hi}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      greeting: hi
      """
    And the tasks should run in order hello
    And the lifecycle event 'task.started' should have data:
      """yaml
      task: /do/0/hello
      """

  Scenario: A task tells that it completed
    Given a workflow that says:
      """yaml
      do:
        - hello: {set: {greeting: hi}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      greeting: hi
      """
    And the tasks should run in order hello
    And the lifecycle event 'task.completed' should have data:
      """yaml
      task: /do/0/hello
      """

  Scenario: A task tells that it faulted, and why
    Given a workflow that says:
      """yaml
      do:
        - stop: {raise: {error: {type: 'https://example.com/errors/closed', status: 409, title: Closed}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 409
      """
    And the tasks should run in order stop
    And the lifecycle event 'task.faulted' should have data:
      """yaml
      task: /do/0/stop
      error: {type: 'https://example.com/errors/closed', status: 409, title: Closed, instance: /do/0/stop}
      """

  Scenario: A task tells that it was cancelled
    Given a workflow that says:
      """yaml
      do:
        - nap: {wait: {seconds: 10}}
      """
    And the workflow is cancelled after PT2S
    When the workflow is executed
    Then the workflow should cancel
    And the tasks should run in order nap
    And the lifecycle event 'task.cancelled' should have data:
      """yaml
      task: /do/0/nap
      """

  Scenario: A task tells that it was suspended with its workflow
    Given a workflow that says:
      """yaml
      do:
        - nap: {wait: {seconds: 10}}
      """
    And the workflow is suspended after PT2S for PT5S
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      null
      """
    And the tasks should run in order nap
    And the lifecycle event 'task.suspended' should have data:
      """yaml
      task: /do/0/nap
      """

  Scenario: A task tells that it was resumed with its workflow
    Given a workflow that says:
      """yaml
      do:
        - nap: {wait: {seconds: 10}}
      """
    And the workflow is suspended after PT2S for PT5S
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      null
      """
    And the tasks should run in order nap
    And the lifecycle event 'task.resumed' should have data:
      """yaml
      task: /do/0/nap
      """

  Scenario: A task tells that it is tried again
    Given a workflow that says:
      """yaml
      do:
        - again:
            try:
              - stop: {raise: {error: {type: 'https://example.com/errors/busy', status: 503}}}
            catch:
              retry: {delay: {seconds: 1}, limit: {attempt: {count: 1}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 503
      """
    And the tasks should run in order again, stop, stop
    And the lifecycle event 'task.retried' should have data:
      """yaml
      task: /do/0/again
      """

  Scenario: The events come in the order in which things happen
    Given a workflow that says:
      """yaml
      do:
        - hello: {set: {greeting: hi}}
      """
    And lifecycle events of level 'task' are wanted
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      greeting: hi
      """
    And the tasks should run in order hello
    And the lifecycle events should be:
      """
      workflow.started
      task.created /do/0/hello
      task.started /do/0/hello
      task.completed /do/0/hello
      workflow.completed
      """

  Scenario: A suspension stops the workflow before its tasks, and its timers go on meanwhile
    Given a workflow that says:
      """yaml
      do:
        - nap: {wait: {seconds: 10}}
      """
    And lifecycle events of level 'task' are wanted
    And the workflow is suspended after PT2S for PT18S
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      null
      """
    And the tasks should run in order nap
    And the lifecycle events should be:
      """
      workflow.started
      task.created /do/0/nap
      task.started /do/0/nap
      workflow.suspended
      task.suspended /do/0/nap
      workflow.resumed
      task.resumed /do/0/nap
      task.completed /do/0/nap
      workflow.completed
      """
    And the workflow should take PT20S

  Scenario: By default only workflows tell of themselves
    Given a workflow that says:
      """yaml
      do:
        - hello: {set: {greeting: hi}}
      """
    And lifecycle events of level 'workflow' are wanted
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      greeting: hi
      """
    And the tasks should run in order hello
    And the lifecycle events should be:
      """
      workflow.started
      workflow.completed
      """

  Scenario: Nothing is told where nothing is wanted
    Given a workflow that says:
      """yaml
      do:
        - hello: {set: {greeting: hi}}
      """
    And lifecycle events of level 'none' are wanted
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      greeting: hi
      """
    And the tasks should run in order hello
    And the lifecycle events should be:
      """
      """

  Scenario: The optional status changes are told where all is wanted
    Given a workflow that says:
      """yaml
      do:
        - nap: {wait: {seconds: 10}}
      """
    And lifecycle events of level 'all' are wanted
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      null
      """
    And the tasks should run in order nap
    And the lifecycle events should be:
      """
      workflow.started
      workflow.status-changed
      task.created /do/0/nap
      task.started /do/0/nap
      task.status-changed /do/0/nap
      task.status-changed /do/0/nap
      task.completed /do/0/nap
      task.status-changed /do/0/nap
      workflow.completed
      workflow.status-changed
      """

  Scenario: A task that is skipped tells nothing
    Given a workflow that says:
      """yaml
      do:
        - never: {if: "${ false }", set: {a: 1}}
        - hello: {set: {greeting: hi}}
      """
    And lifecycle events of level 'task' are wanted
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      greeting: hi
      """
    And the tasks should run in order hello
    And the lifecycle events should be:
      """
      workflow.started
      task.created /do/1/hello
      task.started /do/1/hello
      task.completed /do/1/hello
      workflow.completed
      """

  Scenario: Every event has an id, a name, a time and a place in the order
    Given a workflow that says:
      """yaml
      do:
        - again:
            try:
              - stop: {raise: {error: {type: 'https://example.com/errors/busy', status: 503}}}
            catch:
              retry: {delay: {seconds: 1}, limit: {attempt: {count: 1}}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 503
      """
    And the tasks should run in order again, stop, stop
    And the lifecycle events should have ids, names, times and order as the standard says

  Scenario: A document says for itself what is told of it
    Given a workflow with definition:
      """yaml
      document:
        dsl: '1.0.3'
        namespace: features
        name: quiet
        version: '1.0.0'
        metadata: {lowtide: {lifecycle: workflow}}
      do:
        - hello: {set: {greeting: hi}}
      """
    And lifecycle events of level 'all' are wanted
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      greeting: hi
      """
    And the tasks should run in order hello
    And the lifecycle events should be:
      """
      workflow.started
      workflow.completed
      """

  Scenario: A document that misspells what is told of it is refused
    Given a workflow with definition:
      """yaml
      document:
        dsl: '1.0.3'
        namespace: features
        name: loud
        version: '1.0.0'
        metadata: {lowtide: {lifecycle: tasks}}
      do:
        - hello: {set: {greeting: hi}}
      """
    When the document is checked
    Then the document should be refused at '6:35':
      """
      'tasks' is none of none, workflow, task, all
      """

  Scenario: A workflow with secrets tells neither outputs nor the texts of errors
    Given a workflow that says:
      """yaml
      use: {secrets: [token]}
      do:
        - stop:
            raise:
              error: {type: 'https://example.com/errors/closed', status: 409, detail: the token is s3cret}
      """
    And the secrets are:
      """yaml
      token: s3cret
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      status: 409
      """
    And the tasks should run in order stop
    And the lifecycle event 'workflow.faulted' should have data:
      """yaml
      error: {type: 'https://example.com/errors/closed', status: 409, instance: /do/0/stop}
      """
