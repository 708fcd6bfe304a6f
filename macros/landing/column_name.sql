{#-
  The columns that landed names have in a table: a list of objects with `name` and `column_name`, in the order of `names`.
  `relation` is the table, none before it is there; `own` are the names of its own columns, in lower case.

  A name that has a column keeps it, whatever the rule or the declarations say by now: the column's comment tells its name
  (see _add_columns). One of a table made before columns had such comments is found by what the rule may have made of it.
  Any other gets the column of the rule (see column_name); should another landed name have that, one with all digits.
-#}
{% macro _named_columns(names, relation, own) %}
    {%- if not names -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set given = {} -%}
    {%- set unnamed = [] -%}
    {%- for column in _columns_and_comments(relation) -%}
        {%- if column.landed_name is not none -%}
            {% do given.update({column.landed_name: column.column_name}) %}
        {%- elif column.column_name not in own -%}
            {% do unnamed.append(column.column_name) %}
        {%- endif -%}
    {%- endfor -%}
    {%- set taken = given.values() | list -%}
    {%- set columns = [] -%}
    {%- for name in names -%}
        {%- set ruled = column_name(name, own) -%}
        {%- set hashed = column_name(name, [name]) -%}
        {%- if name in given -%}
            {%- set found = given[name] -%}
        {%- elif hashed in unnamed -%}
            {%- set found = hashed -%}
        {%- elif ruled in taken -%}
            {%- set found = column_name(name, [name], 32) -%}
        {%- else -%}
            {%- set found = ruled -%}
        {%- endif -%}
        {% do columns.append({'name': name, 'column_name': found}) %}
        {% do taken.append(found) %}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}


{#-
  The name of the column that a landed name gets in a table with the columns `own`.

  A name of lower-case letters a-z, digits and underscores, with a letter first and at most 64 characters, is the
  column's name as it is. Any other is cleaned (lower case, every run of other characters an underscore) and ends in
  digits of its own hash, eight where not said, so that no two landed names share a column; so does a name that could be
  taken for a cleaned one, and one among `own`. Hence no such column starts with an underscore: what the macros add to
  landed columns in a query does.
-#}
{% macro column_name(name, own, digits=8) %}
    {%- set is_plain = modules.re.match('[a-z][a-z0-9_]{0,63}\\Z', name)
        and not modules.re.search('_[0-9a-f]{8}\\Z', name) and name not in own -%}
    {%- if is_plain -%}
        {{ return(name) }}
    {%- endif -%}
    {%- set cleaned = modules.re.sub('[^a-z0-9]+', '_', name | lower).strip('_')[:50].strip('_') -%}
    {%- set start = cleaned if modules.re.match('[a-z]', cleaned) else ('column_' ~ cleaned).strip('_') -%}
    {{ return(start ~ '_' ~ local_md5(name)[:digits]) }}
{% endmacro %}


{#-
  The columns of a table, in its order: a list of objects with `column_name` and `landed_name`, none for one that no landed
  name gave it. Empty where there is no table.
-#}
{% macro _columns_and_comments(relation) %}
    {%- set columns = [] -%}
    {%- if relation is not none -%}
        {%- set ended = namespace(value=false) -%}
        {%- for row in run_query('describe table ' ~ relation) -%}
            {#- What follows the columns tells of partitions. -#}
            {%- set ended.value = ended.value or not row[0] or row[0].startswith('#') -%}
            {%- if not ended.value -%}
                {%- set comment = row[2] or '' -%}
                {% do columns.append({
                    'column_name': row[0],
                    'landed_name': comment[10:] if comment.startswith('landed as ') else none,
                }) %}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(columns) }}
{% endmacro %}


{#- The columns of a node's table that landed names gave it, as _named_columns gives them, in the table's order. -#}
{% macro landed_columns(name) %}
    {%- set columns = [] -%}
    {%- if execute -%}
        {%- for column in _columns_and_comments(_built_relation(name)) if column.landed_name is not none -%}
            {% do columns.append({'name': column.landed_name, 'column_name': column.column_name}) %}
        {%- endfor -%}
    {%- endif -%}
    {{ return(columns) }}
{% endmacro %}


{#- The same as a query: column_name, landed_name. -#}
{% macro landed_column_names(name) -%}
    select
        cast(column_name as string) as column_name,
        cast(landed_name as string) as landed_name
    from values
        (null, null)
        {%- for column in landed_columns(name) %},
        ('{{ column.column_name }}', {{ _text_literal(column.name) }})
        {%- endfor %}
        as landed_columns (column_name, landed_name)
    where column_name is not null
{%- endmacro %}
