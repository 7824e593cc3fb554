Feature: Callbacks and people
  The default catalog has three functions by which a workflow waits for somebody outside. `create-callback` makes a URL that
  can be called once, `await-callback` waits for what is posted to it, and `human-task` asks a person. Here their answers are
  events; on the platform they come through the API.

  Scenario: Of a race between a person and an event, the first one ends the other's waiting
    Given a workflow that says:
      """yaml
      do:
        - race:
            fork:
              compete: true
              branches:
                - ask: {call: 'human-task:1.0.0@default', with: {title: Decide, assignee: {user: ann}, deadline: P1D}}
                - hear: {listen: {to: {one: {with: {type: com.example.decided}}}}}
      """
    And these events occur:
      """yaml
      - {type: com.example.decided, data: yes}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      ["yes"]
      """
    And ask should cancel
    And the tasks should run in order race, ask, ask, hear
    And the workflow should take PT0S

  Scenario: Nobody has answered in time, and a try asks somebody else
    Given a workflow that says:
      """yaml
      do:
        - first:
            try:
              - ask: {call: 'human-task:1.0.0@default', with: {title: Decide, assignee: {user: ann}, deadline: PT8H}}
            catch:
              errors: {with: {type: 'https://open-workflow-specification.org/spec/1.0.0/errors/timeout'}}
              do:
                - again:
                    call: human-task:1.0.0@default
                    with: {title: Decide, assignee: {group: all}}
                    output: {as: .data}
      """
    And these events occur:
      """yaml
      - {type: dev.lowtide.task.completed.v1, subject: /do/0/first/catch/do/0/again, lowtideby: bob, data: 7}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      7
      """
    And the tasks should run in order first, ask, ask, again, again
    And the workflow should take PT8H

  Scenario Outline: What cannot be asked is a validation error: <mistake>
    Given a workflow that says:
      """yaml
      do:
        - ask: {call: 'human-task:1.0.0@default', with: {title: Decide, assignee: {user: ann}, <with>}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /do/0/ask
      """
    And the error's detail should mention '<detail>'
    And the tasks should run in order ask, ask

    Examples:
      | mistake                            | with                                                                         | detail                            |
      | a key that nobody reads            | priority: 3                                                                  | priority                          |
      | a form that is no schema           | form: {type: thing}                                                          | is no JSON Schema                 |
      | a deadline that is no duration     | deadline: soon                                                               | `deadline` is no duration         |
      | an escalation after the deadline   | deadline: PT1H, escalation: [{after: PT2H, assignee: {user: eve}}]           | does not come before the deadline |
      | a default without a deadline       | default: 1                                                                   | give one                          |
      | a default that does not fit        | deadline: PT1H, form: {type: object}, default: 1                             | does not fit the form             |
      | what no store can hold             | data: 1, escalation: [{after: PT2H, assignee: {user: "\0"}}]                 | does not match                    |
      | two assignees                      | escalation: [{after: PT2H, assignee: {user: eve, group: all}}]               | assignee                          |

  Scenario Outline: What cannot be a callback is a validation error: <mistake>
    Given a workflow that says:
      """yaml
      do:
        - create: {call: 'create-callback:1.0.0@default', with: {<with>}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/validation
      status: 400
      instance: /do/0/create
      """
    And the tasks should run in order create, create

    Examples:
      | mistake                    | with                  |
      | no time at all             | expires: PT0S         |
      | more than a year           | expires: P2Y          |
      | no duration                | expires: soon         |
      | a media type that it reads not | accept: [image/png] |

  Scenario: A callback that was made elsewhere is awaited until it expires
    Given a workflow that says:
      """yaml
      do:
        - answer:
            call: await-callback:1.0.0@default
            with: {callback: {id: AAAAAAAAAAAAAAAA, expires: '2026-01-01T00:10:00Z'}}
      """
    When the workflow is executed
    Then the workflow should fault with error:
      """yaml
      type: https://open-workflow-specification.org/spec/1.0.0/errors/timeout
      status: 408
      instance: /do/0/answer
      """
    And the tasks should run in order answer, answer
    And the workflow should take PT10M

  Scenario: The default catalog has nothing else unless the operator gives it
    Given a workflow that says:
      """yaml
      do:
        - ask: {call: 'human-task:2.0.0@default', with: {title: Decide}}
      """
    When the document is checked
    Then the document should be refused at '3:17':
      """
      there is none here beside what is built in (await-callback:1.0.0, create-callback:1.0.0, human-task:1.0.0)
      """
